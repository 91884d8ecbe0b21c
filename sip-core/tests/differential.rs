//! The index against a plain second reading, which the fuzz target also uses.

mod naive;

use bytes::Bytes;
use proptest::prelude::*;
use sip_core::{Limits, Message};

const SEEDS: [&[u8]; 6] = [
    include_bytes!("torture/rfc4475/wsinv.dat"),
    include_bytes!("torture/rfc4475/intmeth.dat"),
    include_bytes!("torture/rfc4475/dblreq.dat"),
    include_bytes!("torture/rfc4475/unreason.dat"),
    include_bytes!("torture/rfc4475/ncl.dat"),
    b"BYE sip:a SIP/2.0\r\nl : 3\r\nX-A:\r\n \r\nv:a\r\n\tb\r\nWWW-Authenticate :x\r\nMax-Forwards:7\r\n\r\nabcd",
];

/// Both read the same, or both refuse.
fn compare(datagram: &[u8]) {
    let limits = Limits { headers: usize::MAX, line: usize::MAX, uri: usize::MAX, ..Limits::default() };
    let parsed = Message::parse(Bytes::copy_from_slice(datagram), &limits);
    match (naive::read(datagram), parsed) {
        (None, Err(error)) => assert!(error.offset <= datagram.len()),
        (Some(naive), Ok(message)) => {
            let written = message.to_bytes();
            assert!(datagram[..naive.read].ends_with(&written));
            assert!(written.starts_with(&naive.first));
            let headers = message.headers().iter();
            let headers = headers.map(|header| (header.name.as_str().to_ascii_lowercase(), header.value.to_vec()));
            assert_eq!(headers.collect::<Vec<_>>(), naive.headers);
            assert_eq!(message.body(), &naive.body);
        }
        (naive, parsed) => {
            panic!("one reads it, the other does not: {:?}\n{naive:?}\n{parsed:?}", String::from_utf8_lossy(datagram))
        }
    }
}

#[test]
fn the_seeds_are_read_alike_whole_and_cut_anywhere() {
    for seed in SEEDS {
        (0..=seed.len()).for_each(|end| compare(&seed[..end]));
    }
}

#[test]
fn the_seeds_are_read_alike_with_any_byte_changed_to_one_that_matters() {
    for seed in SEEDS {
        for at in 0..seed.len() {
            for byte in *b"\r\n \t:;,\0\x7f\xffa-0" {
                let mut datagram = seed.to_vec();
                datagram[at] = byte;
                compare(&datagram);
                datagram.insert(at, byte);
                compare(&datagram);
                datagram.remove(at);
                datagram.remove(at);
                compare(&datagram);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn spliced_and_mutated_messages_are_read_alike(
        seeds in (0..SEEDS.len(), 0..SEEDS.len()),
        cuts in (any::<prop::sample::Index>(), any::<prop::sample::Index>()),
        mutations in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let (head, tail) = (SEEDS[seeds.0], SEEDS[seeds.1]);
        let mut datagram = [&head[..cuts.0.index(head.len())], &tail[cuts.1.index(tail.len())..]].concat();
        for (index, byte) in mutations {
            if !datagram.is_empty() {
                let at = index.index(datagram.len());
                datagram[at] = byte;
            }
        }
        compare(&datagram);
    }
}
