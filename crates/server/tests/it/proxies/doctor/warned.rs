//! What `portcullis doctor` tells of what the running server itself warns of.

use portcullis_server::flows::audit::verify::Extent;
use portcullis_server::flows::audit::watch;
use portcullis_store::audit::verdicts;

use super::{Front, Patient};

#[tokio::test]
async fn what_the_running_server_warns_of_is_told_with_advice() {
    let patient = Patient::with(Front::Gate, "", str::to_owned).await;
    let app = &patient.server.app;
    watch::look(app, Extent::Whole).await.unwrap();
    patient.run("", "").await.assert_clean(&[]);
    let kept = watch::Kept { at: app.clock.now(), entries: 1, faults: 1, first: None };
    let mut tx = app.db.write().await.unwrap();
    verdicts::put(&mut tx, &serde_json::to_vec(&kept).unwrap()).await.unwrap();
    tx.commit().await.unwrap();
    watch::look(app, Extent::Whole).await.unwrap();
    let told = patient.run("", "").await;
    assert_eq!((told.code, told.findings()), (1, vec!["warning warnings".to_owned()]), "{told:?}");
    let check = told.check("warnings");
    assert!(check["detail"].as_str().unwrap().starts_with("audit_verify: "), "{check}");
    assert!(check["advice"].as_str().unwrap().contains("portcullis audit verify"), "{check}");
    patient.server.finish().await;
}
