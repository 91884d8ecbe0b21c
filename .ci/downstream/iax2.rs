//! Reads and writes a frame with the renamed crate alone.
fn main() {
    // A POKE: full frame, call 1, type IAX (6), subclass 30.
    let poke = [0x80, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x03, 0x00, 0x00, 0x06, 0x1e];
    let frame = mine::Frame::parse(&poke).expect("a whole frame");
    assert!(matches!(frame, mine::Frame::Full(_)));
    let mut written = Vec::new();
    frame.encode(&mut written);
    assert_eq!(written, poke);
}
