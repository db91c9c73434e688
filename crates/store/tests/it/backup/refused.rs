//! What is no whole backup of ours is refused with a sentence, and nothing is changed; the file from
//! which each bad one was made is good.

use std::io::Cursor;

use portcullis_store::backup::{self, Refusal};
use portcullis_store::migrate::MigrateOptions;

use super::filled::tables;
use super::{empty_ones, keys, lines, resealed, restored, taken};
use crate::harness::{NOW, SEAL, TestDb, ada};

/// A good file of a database with one user.
async fn good() -> Vec<u8> {
    let source = TestDb::sqlite().await;
    source.migrate().await.unwrap();
    let mut tx = source.write().await;
    ada(&mut tx).await;
    tx.commit().await.unwrap();
    let (file, _) = taken(&source.db).await;
    source.close().await;
    file
}

/// Refused for this reason on every database, which is as empty as before and takes the good file after.
async fn check(bad: &[u8], reason: &str, good: &[u8]) {
    for target in empty_ones().await {
        let refusal = restored(&target.db, bad).await.unwrap_err().to_string();
        assert!(refusal.contains(reason), "{reason}: {refusal}");
        assert_eq!(tables(&target).await, [""; 0], "{reason}");
        restored(&target.db, good).await.unwrap();
        target.close().await;
    }
}

#[tokio::test]
async fn what_is_cut_off_or_damaged() {
    let file = good().await;
    for length in [file.len() - 1, file.len() - 60, file.len() / 2, 200] {
        check(&file[..length], "is cut off", &file).await;
    }
    let half = file.len() / 2;
    let place = (half..file.len()).find(|at| file[*at].is_ascii_alphabetic()).unwrap();
    let mut flipped = file.clone();
    flipped[place] ^= 1;
    check(&flipped, "is damaged", &file).await;
    let mut longer = file.clone();
    longer.extend_from_slice(b"[]\n");
    check(&longer, "is cut off", &file).await;
}

/// Each byte counts, wherever it is.
#[tokio::test]
async fn no_byte_can_be_changed() {
    let file = good().await;
    let (key, mut refused) = (keys().backup, 0);
    for place in (0..file.len()).step_by(97).chain(file.len() - 152..file.len()) {
        let mut changed = file.clone();
        changed[place] ^= 1;
        let found = backup::inspect(&mut Cursor::new(changed), &SEAL, &key);
        assert!(found.is_err(), "byte {place}");
        refused += 1;
    }
    assert!(refused > 200);
    backup::inspect(&mut Cursor::new(&file), &SEAL, &key).unwrap();
}

#[tokio::test]
async fn what_is_not_ours() {
    let file = good().await;
    check(b"", "is no backup of Portcullis", &file).await;
    check(b"SQLite format 3\0 and so on", "is no backup of Portcullis", &file).await;
    check(b"{\"portcullis_backup\":1}\n", "is no backup of Portcullis", &file).await;
    check(b"{\"portcullis_backup\":2,\"x\":[]}\n", "has the format 2", &file).await;
    let of_another = String::from_utf8(file.clone()).unwrap().replace(
        &format!("\"secret\":\"{}\"", hex::encode(SEAL)),
        &format!("\"secret\":\"{}\"", hex::encode([8; 32])),
    );
    check(of_another.as_bytes(), "belongs to another secret: give the secret file", &file).await;
}

/// Whoever can write the file and does not know the secret.
#[tokio::test]
async fn what_somebody_without_the_secret_changed() {
    let file = good().await;
    let mut lines = lines(&file);
    let user = lines.iter_mut().find(|line| line.contains("ada@example.com")).unwrap();
    *user = user.replace("ada@example.com", "eve@example.com");
    let changed = lines.concat();
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, changed.as_bytes());
    let old = String::from_utf8(file[file.len() - 67..].to_vec()).unwrap();
    let forged = format!("{changed}{{\"sha256\":\"{}\",\"seal\":\"{old}", hex::encode(digest));
    assert_eq!(forged.len(), file.len());
    check(forged.as_bytes(), "was changed by somebody without the secret", &file).await;
    // Under the secret the very same change is one that was meant.
    let target = TestDb::sqlite().await;
    restored(&target.db, &resealed(&lines)).await.unwrap();
    target.close().await;
}

#[tokio::test]
async fn what_does_not_go_with_the_schema() {
    let file = good().await;
    let changed = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines(&file);
        change(&mut lines);
        resealed(&lines)
    };
    let place = |lines: &[String], start: &str| {
        lines.iter().position(|line| line.starts_with(start)).unwrap()
    };
    let newer = changed(&|lines| lines[0] = lines[0].replace("\"schema\":", "\"schema\":9"));
    check(&newer, "this program knows only up to", &file).await;
    let renamed = changed(&|lines| {
        let table = place(lines, "{\"table\":\"roles\"");
        lines[table] = lines[table].replace("\"roles\"", "\"rolls\"");
    });
    check(&renamed, "the table rolls is not as this version of the schema has it", &file).await;
    let without_column = changed(&|lines| {
        let table = place(lines, "{\"table\":\"roles\"");
        lines[table] = lines[table].replace("[\"id\",\"int\"],", "");
    });
    check(&without_column, "the table roles is not as", &file).await;
    let without_table = changed(&|lines| {
        let table = place(lines, "{\"table\":\"places\"");
        lines.remove(table);
    });
    check(&without_table, "the table places is missing", &file).await;
    let short = changed(&|lines| {
        let row = place(lines, "{\"table\":\"roles\"") + 1;
        lines[row] = "[1]\n".to_owned();
    });
    check(&short, "it has not as many values as its table has columns", &file).await;
    let of_text = changed(&|lines| {
        let row = place(lines, "{\"table\":\"roles\"") + 1;
        lines[row] = lines[row].replacen("[1,", "[\"1\",", 1);
    });
    check(&of_text, "roles.id has another type", &file).await;
    let fewer = changed(&|lines| {
        let row = place(lines, "{\"table\":\"users\"") + 1;
        lines.remove(row);
    });
    check(&fewer, "other numbers of rows are told than there are", &file).await;
    let orphan = changed(&|lines| {
        let row = place(lines, "{\"table\":\"roles\"") + 1;
        lines.remove(row);
        let last = lines.len() - 1;
        lines[last] = lines[last].replace("\"roles\":1", "\"roles\":0");
    });
    check(&orphan, "a row of users goes with no other that is there", &file).await;
}

#[tokio::test]
async fn a_database_that_is_not_empty() {
    let file = good().await;
    for target in empty_ones().await {
        target.migrate().await.unwrap();
        let (before, _) = taken(&target.db).await;
        let refusal = restored(&target.db, &file).await;
        assert!(matches!(refusal, Err(Refusal::NotEmpty)), "{refusal:?}");
        assert_eq!(taken(&target.db).await.0, before);
        target.close().await;
    }
}

/// Somebody without the secret who can write to the file waits until it was found good.
#[tokio::test]
async fn what_was_exchanged_since_it_was_looked_at() {
    let file = good().await;
    let mut of_another = lines(&file);
    for line in &mut of_another {
        *line = line.replace("ada@example.com", "eve@example.com");
    }
    let exchanged = resealed(&of_another);
    assert_ne!(exchanged, file);
    for target in empty_ones().await {
        let sound = backup::inspect(&mut Cursor::new(&file), &SEAL, &keys().backup).unwrap();
        let options = MigrateOptions { seal_check: SEAL, now: NOW };
        let restored = async |bytes: &[u8]| {
            let mut tx = target.db.write().await.unwrap();
            backup::restore(&mut tx, &mut Cursor::new(bytes), &sound, &options).await.map(drop)
        };
        let refusal = restored(&exchanged).await;
        assert!(matches!(refusal, Err(Refusal::Changed)), "{refusal:?}");
        assert_eq!(tables(&target).await, [""; 0]);
        restored(&file).await.unwrap();
        target.close().await;
    }
}
