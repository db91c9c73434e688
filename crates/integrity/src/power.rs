//! The extended attributes of a file that give power: capabilities, and lists of who may do what. Not here:
//! its mode and its owner.

use std::os::fd::OwnedFd;

use rustix::fs::{fgetxattr, flistxattr};
use rustix::io::Errno;

use crate::Digest;
use crate::digest::Hasher;

const COUNTED: [&str; 3] =
    ["security.capability", "system.posix_acl_access", "system.posix_acl_default"];
/// Linux has no longer list of the names of attributes, and no longer value of one.
const LONGEST: usize = 64 * 1024;

/// The digest of the attributes that give power; `None` if there are none.
pub(crate) fn power(opened: &OwnedFd) -> Result<Option<Digest>, Errno> {
    // Few files have any, and hardly one has more than fit here.
    let (mut few, mut many) = ([0; 256], Vec::new());
    let names = whole(&mut few, &mut many, |buffer| match flistxattr(opened, buffer) {
        Err(Errno::NOTSUP) => Ok(0),
        listed => listed,
    })?;
    if names.is_empty() {
        return Ok(None);
    }
    let (mut short, mut long) = ([0; 4096], Vec::new());
    let (mut hasher, mut is_any) = (Hasher::default(), false);
    for counted in COUNTED {
        if !names.split(|byte| *byte == 0).any(|name| name == counted.as_bytes()) {
            continue;
        }
        let value = whole(&mut short, &mut long, |buffer| fgetxattr(opened, counted, buffer))?;
        hasher.update(format!("{counted} {} ", value.len()).as_bytes());
        hasher.update(value);
        is_any = true;
    }
    Ok(is_any.then(|| hasher.finish()))
}

/// What is read, where it fits.
fn whole<'b>(
    short: &'b mut [u8],
    long: &'b mut Vec<u8>,
    read: impl Fn(&mut [u8]) -> Result<usize, Errno>,
) -> Result<&'b [u8], Errno> {
    match read(short) {
        Err(Errno::RANGE) => {
            long.resize(LONGEST, 0);
            let length = read(long)?;
            Ok(long.get(..length).unwrap_or_default())
        }
        length => Ok(short.get(..length?).unwrap_or_default()),
    }
}
