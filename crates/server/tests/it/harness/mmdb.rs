//! A file of places in `MaxMind`'s format (specification 2.0), small enough to be made by each test.

use std::net::{IpAddr, Ipv6Addr};

/// A network as address and length, with the English name of its city, if it has one, and the code of
/// its country.
pub(crate) type Place<'a> = (&'a str, u8, Option<&'a str>, &'a str);

/// A file that knows these places and no others.
pub(crate) fn mmdb(places: &[Place<'_>]) -> Vec<u8> {
    let (mut tree, mut data) = (vec![[Record::Empty; 2]], Vec::new());
    for (network, length, city, country) in places {
        let at = data.len();
        place(&mut data, *city, country);
        insert(&mut tree, network, *length, at);
    }
    let mut file = Vec::new();
    for records in &tree {
        for record in records {
            let value = match record {
                Record::Empty => tree.len(),
                Record::Node(index) => *index,
                // The data begins behind the tree and sixteen zeros.
                Record::Data(offset) => tree.len() + 16 + offset,
            };
            file.extend(u32::try_from(value).unwrap().to_be_bytes());
        }
    }
    file.extend([0; 16]);
    file.extend(data);
    file.extend(b"\xab\xcd\xefMaxMind.com");
    metadata(&mut file, tree.len());
    file
}

#[derive(Clone, Copy)]
enum Record {
    Empty,
    Node(usize),
    Data(usize),
}

fn insert(tree: &mut Vec<[Record; 2]>, network: &str, length: u8, offset: usize) {
    let (address, length) = match network.parse().unwrap() {
        // The IPv4 networks are those below ::/96.
        IpAddr::V4(v4) => (Ipv6Addr::from(u128::from(v4.to_bits())), length + 96),
        IpAddr::V6(v6) => (v6, length),
    };
    let mut node = 0;
    for depth in 0..length {
        let bit = usize::from(address.to_bits() >> (127 - depth) & 1 == 1);
        if depth + 1 == length {
            tree[node][bit] = Record::Data(offset);
        } else if let Record::Node(next) = tree[node][bit] {
            node = next;
        } else {
            tree.push([Record::Empty; 2]);
            tree[node][bit] = Record::Node(tree.len() - 1);
            node = tree.len() - 1;
        }
    }
}

fn place(to: &mut Vec<u8>, city: Option<&str>, country: &str) {
    map(to, 1 + u8::from(city.is_some()));
    if let Some(city) = city {
        text(to, "city");
        map(to, 1);
        text(to, "names");
        map(to, 1);
        text(to, "en");
        text(to, city);
    }
    text(to, "country");
    map(to, 1);
    text(to, "iso_code");
    text(to, country);
}

fn metadata(to: &mut Vec<u8>, nodes: usize) {
    map(to, 9);
    text(to, "node_count");
    to.push(6 << 5 | 4);
    to.extend(u32::try_from(nodes).unwrap().to_be_bytes());
    for (name, value) in [
        ("record_size", 32),
        ("ip_version", 6),
        ("binary_format_major_version", 2),
        ("binary_format_minor_version", 0),
    ] {
        text(to, name);
        to.extend([5 << 5 | 1, value]);
    }
    text(to, "database_type");
    text(to, "Test-City");
    text(to, "languages");
    to.extend([1, 4]);
    text(to, "en");
    text(to, "build_epoch");
    to.extend([1, 2, 1]);
    text(to, "description");
    map(to, 0);
}

fn map(to: &mut Vec<u8>, pairs: u8) {
    to.push(7 << 5 | pairs);
}

fn text(to: &mut Vec<u8>, text: &str) {
    // From this length on the length is in a byte of its own.
    const LONG: u8 = 0x1d;
    let length = u8::try_from(text.len()).unwrap();
    if length < LONG {
        to.push(2 << 5 | length);
    } else {
        to.extend([2 << 5 | LONG, length - LONG]);
    }
    to.extend(text.bytes());
}
