//! G.711 against the ITU's own sweep of all samples, and against the whole table written out as a checksum.

use rtp::g711::Law;
use std::path::Path;

const VECTORS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/vectors/itu-g711/test_data");

fn words(name: &str) -> Option<Vec<i16>> {
    let path = Path::new(VECTORS).join(name);
    let Ok(bytes) = std::fs::read(&path) else {
        eprintln!("SKIPPED for want of {}: the checksums of this file still cover it", path.display());
        return None;
    };
    Some(bytes.as_chunks::<2>().0.iter().map(|pair| i16::from_le_bytes(*pair)).collect())
}

fn compare(law: Law, encoded: &str, decoded: &str) {
    let (Some(source), Some(encoded), Some(decoded)) = (words("sweep.src"), words(encoded), words(decoded)) else {
        return;
    };
    assert_eq!(source.len(), 65_536);
    for ((sample, code), heard) in source.into_iter().zip(encoded).zip(decoded) {
        assert_eq!(i16::from(law.encode_sample(sample)), code, "{law:?} of {sample}");
        assert_eq!(law.decode_sample(code as u8), heard, "{law:?} from {code}");
    }
}

#[test]
fn mu_law_is_bit_exact_with_the_itu_sweep() {
    compare(Law::Mu, "sweep-r.u", "sweep-r.u-u");
}

#[test]
fn a_law_is_bit_exact_with_the_itu_sweep() {
    compare(Law::A, "sweep-r.a", "sweep-r.a-a");
}

/// FNV-1a, so that a plain clone without the sweep still notices any other code.
fn checksum(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[test]
fn all_codes_of_all_samples_have_the_checksum_of_the_bit_exact_tables() {
    let encoded = |law: Law| checksum((i16::MIN..=i16::MAX).map(|sample| law.encode_sample(sample)));
    let decoded = |law: Law| checksum((0..=255).flat_map(|code| law.decode_sample(code).to_le_bytes()));
    assert_eq!(encoded(Law::Mu), MU_ENCODED);
    assert_eq!(encoded(Law::A), A_ENCODED);
    assert_eq!(decoded(Law::Mu), MU_DECODED);
    assert_eq!(decoded(Law::A), A_DECODED);
}

const MU_ENCODED: u64 = 0x04ec_1f08_3fd7_8c2d;
const MU_DECODED: u64 = 0xb91e_65d6_8481_a1a8;
const A_ENCODED: u64 = 0xf030_666e_b780_cf25;
const A_DECODED: u64 = 0x693a_40ca_62a3_d2a5;
