//! The file of the one secret that every key comes from: read at every start, made at the first.
//! Not here: what is derived from it, which is the domain's `secret`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use portcullis_domain::secret::{MasterSecret, SecretFault};
use zeroize::Zeroizing;

use crate::random::Random;

/// Why there is no secret. No text holds any part of one.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("the secret file {} cannot be used", path.display())]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error("the secret file {} is no regular file", path.display())]
    NotAFile { path: PathBuf },
    #[error(
        "the secret file {0} can be read or written by others than its owner (mode {mode:04o}); \
         keep it to its owner: chmod 600 {0}",
        path.display()
    )]
    OpenToOthers { path: PathBuf, mode: u32 },
    #[error("the secret file {} cannot be read: {fault}", path.display())]
    Content { path: PathBuf, fault: SecretFault },
}

/// Reads the secret. If there is no such file, makes one with a secret of 32 random bytes; its
/// directory must exist. Of several processes that start at once, all get the same secret.
pub fn read_or_create(path: &Path, random: Random) -> Result<MasterSecret, SecretFileError> {
    if let Some(secret) = read(path)? {
        return Ok(secret);
    }
    create(path, random).map_err(|source| io_error(path, source))?;
    // Another process may have been first: everybody takes what the file holds.
    read(path)?.ok_or_else(|| io_error(path, io::ErrorKind::NotFound.into()))
}

/// Reads the secret; `None` if there is no such file.
pub fn read(path: &Path) -> Result<Option<MasterSecret>, SecretFileError> {
    /// Enough for every secret with white space around it.
    const LONGEST: u64 = 1024;
    // Looked at before it is opened, because opening a pipe waits for its other end.
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(|source| io_error(path, source))?,
    };
    if !metadata.is_file() {
        return Err(SecretFileError::NotAFile { path: path.to_owned() });
    }
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    check_mode(path, &file)?;
    let mut text = Zeroizing::new(String::new());
    match file.take(LONGEST).read_to_string(&mut text) {
        Err(error) if error.kind() == io::ErrorKind::InvalidData => {
            return Err(SecretFileError::Content { path: path.to_owned(), fault: SecretFault });
        }
        read => read.map_err(|source| io_error(path, source))?,
    };
    let secret = MasterSecret::parse(&text);
    secret.map(Some).map_err(|fault| SecretFileError::Content { path: path.to_owned(), fault })
}

fn check_mode(path: &Path, file: &File) -> Result<(), SecretFileError> {
    const OF_OTHERS: u32 = 0o077;
    let metadata = file.metadata().map_err(|source| io_error(path, source))?;
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & OF_OTHERS == 0 {
        Ok(())
    } else {
        Err(SecretFileError::OpenToOthers { path: path.to_owned(), mode })
    }
}

/// Makes the file whole or not at all: written under another name, then linked to its own, which
/// fails where somebody was faster. A crash leaves a draft behind, never half a secret.
fn create(path: &Path, random: Random) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let directory = parent.unwrap_or(Path::new("."));
    let draft = directory.join(format!(".secret-{}.draft", hex::encode(random.bytes::<8>())));
    let written = write_new(&draft, &MasterSecret::from_random(random.bytes()));
    let linked = written.and_then(|()| fs::hard_link(&draft, path));
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => File::open(directory)?.sync_all(),
    }
}

fn write_new(path: &Path, secret: &MasterSecret) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(secret.to_file_text().as_bytes())?;
    file.sync_all()
}

fn io_error(path: &Path, source: io::Error) -> SecretFileError {
    SecretFileError::Io { path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    fn text(secret: &MasterSecret) -> String {
        secret.to_file_text().as_str().to_owned()
    }

    #[test]
    fn it_is_made_once_and_read_ever_after() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let made = text(&read_or_create(&path, Random).unwrap());
        assert_eq!(fs::read_to_string(&path).unwrap(), made);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        assert_eq!(text(&read_or_create(&path, Random).unwrap()), made);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a draft was left behind");
    }

    #[test]
    fn processes_that_start_at_once_agree() {
        const COUNT: usize = 16;
        let directory = tempfile::tempdir().unwrap();
        let (path, start) = (directory.path().join("secret"), Barrier::new(COUNT));
        let read = || {
            start.wait();
            text(&read_or_create(&path, Random).unwrap())
        };
        let secrets: Vec<String> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..COUNT).map(|_| scope.spawn(read)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        assert!(secrets.iter().all(|secret| *secret == secrets[0]));
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "a draft was left behind");
    }

    #[test]
    fn only_its_owner_may_use_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        read_or_create(&path, Random).unwrap();
        let check = |mode: u32, good: bool| {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read_or_create(&path, Random) {
                Ok(_) => assert!(good, "{mode:o}"),
                Err(error) => {
                    let (told, path) = (error.to_string(), path.display());
                    assert!(!good, "{mode:o}: {told}");
                    assert!(told.contains(&format!("chmod 600 {path}")), "{told}");
                    assert!(told.contains(&format!("(mode {mode:04o})")), "{told}");
                }
            }
        };
        check(0o600, true);
        check(0o640, false);
        check(0o604, false);
        check(0o620, false);
        check(0o602, false);
        check(0o644, false);
        check(0o400, true);
    }

    #[test]
    fn what_is_no_secret_is_refused_and_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        let check = |content: &[u8], good: bool| {
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
            match read_or_create(&path, Random) {
                Ok(_) => assert!(good, "{content:?}"),
                Err(error) => {
                    assert!(!good, "{content:?}: {error}");
                    assert!(error.to_string().contains(&path.display().to_string()), "{error}");
                }
            }
            assert_eq!(fs::read(&path).unwrap(), content);
        };
        check("ab".repeat(32).as_bytes(), true);
        check(format!("\n {}\r\n", "ab".repeat(32)).as_bytes(), true);
        check(b"", false);
        check("AB".repeat(32).as_bytes(), false);
        check("ab".repeat(31).as_bytes(), false);
        check("ab".repeat(33).as_bytes(), false);
        check(&[0xff; 64], false);
    }

    #[test]
    fn what_is_no_file_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let error = read_or_create(directory.path(), Random).err().unwrap();
        assert!(matches!(error, SecretFileError::NotAFile { .. }), "{error}");
        let missing = directory.path().join("no").join("secret");
        let error = read_or_create(&missing, Random).err().unwrap();
        assert!(matches!(error, SecretFileError::Io { .. }), "{error}");
    }
}
