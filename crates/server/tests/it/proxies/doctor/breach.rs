//! What `portcullis doctor` tells of those who know breached passwords.

use std::fs;

use super::{Front, Patient};

#[tokio::test]
async fn whoever_knows_breached_passwords_is_tried() {
    let patient = Patient::with(Front::Gate, "", str::to_owned).await;
    let told = patient.run("", "").await;
    told.assert_clean(&[]);
    let list = told.check("breach_list")["detail"].as_str().unwrap();
    assert_eq!(list, "built in: 49,233 passwords of 2026-07-17");
    patient.server.finish().await;

    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    // Nobody listens there.
    let section = format!(
        "[breach]\nsources = [\"offline\", \"online\"]\noffline_index = \"{}\"\n\
         range_url = \"http://127.0.0.1:9/range/\"\n",
        index.display()
    );
    crate::breach::offline::write(folder.path(), "P@ssw0rd", 7, "2025-01-31");
    let patient = Patient::with(Front::Gate, &section, str::to_owned).await;
    let told = patient.run("", "").await;
    assert_eq!(told.findings(), ["unreachable breach_service"], "{told:?}");
    assert_eq!(told.code, 3);
    let index_says = told.check("breach_index")["detail"].as_str().unwrap();
    assert!(
        index_says
            .ends_with("index opens: 1 password of 2025-01-31; breach verify reads all of it"),
        "{index_says}"
    );
    let service = told.check("breach_service");
    assert!(service["detail"].as_str().unwrap().contains("there is no connection"), "{service}");

    fs::write(&index, "nothing").unwrap();
    let told = patient.run("", "").await;
    let check = told.check("breach_index");
    assert_eq!(check["status"], "warning", "{told:?}");
    assert!(check["detail"].as_str().unwrap().contains("is no index"), "{check}");
    assert!(check["advice"].as_str().unwrap().contains("portcullis breach build"), "{check}");
    patient.server.finish().await;
}
