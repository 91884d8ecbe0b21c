//! Reads, edits and writes a message with the renamed crate alone.
use mine::header::{Via, MaxForwards};
use mine::{Limits, Message};

fn main() {
    let text: &'static [u8] = b"OPTIONS sip:bob@example.com SIP/2.0\r\nVia: SIP/2.0/UDP pc.example.com;branch=z9hG4bK7\r\n\
        From: <sip:a@example.com>;tag=1\r\nTo: <sip:bob@example.com>\r\nCall-ID: 7\r\nCSeq: 1 OPTIONS\r\nX-Kept:  as it is \r\n\
        Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n";
    let Ok(Message::Request(request)) = Message::parse(text.into(), &Limits::default()) else { panic!("not a request") };
    assert_eq!(&request.to_bytes()[..], text, "an unedited message is byte-exact");
    let via = request.headers().require::<Via>().expect("the topmost Via");
    let mut edit = request.edit();
    edit.push_front(&via);
    edit.replace(&MaxForwards(69));
    let written = String::from_utf8(edit.finish().to_bytes().to_vec()).expect("ASCII");
    assert_eq!(written.matches("Via:").count(), 2);
    assert!(written.contains("Max-Forwards: 69\r\n") && written.contains("X-Kept:  as it is \r\n"));
}
