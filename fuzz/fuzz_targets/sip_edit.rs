//! An edited message is what a plain model of its lines says.
#![no_main]

#[path = "../../sip-core/tests/edit/model.rs"]
mod model;

use arbitrary::{Result, Unstructured};
use libfuzzer_sys::fuzz_target;
use model::{Line, Model, Step};
use sip_core::header::HeaderName;

/// A short text of what may confuse.
fn text(input: &mut Unstructured<'_>, alphabet: &[u8]) -> Result<String> {
    let length = input.int_in_range(0..=24)?;
    (0..length).map(|_| input.choose(alphabet).map(|byte| char::from(*byte))).collect()
}

fn line(input: &mut Unstructured<'_>) -> Result<Line> {
    let name = *input.choose(&["Route", "ROUTE", "X-Own", "x-oWN", "Subject", "s", "X-Other", "X-Own-2"])?;
    let before = text(input, b" \t")?;
    let after = text(input, b" \t")?;
    let end = text(input, b" \t")?;
    let mut value = text(input, b"ab<>\",;\\ \t\0\n")?.replace('\n', "\r\n ");
    if input.arbitrary()? {
        value = format!("<sip:a,b>,{value}");
    }
    let raw = format!("{name}{before}:{after}{value}{end}\r\n");
    Ok(Line {
        name: HeaderName::parse(name.as_bytes()).unwrap(),
        value: value.trim_matches([' ', '\t', '\r', '\n']).to_owned(),
        raw,
    })
}

fn step(input: &mut Unstructured<'_>) -> Result<Step> {
    let listed = input.arbitrary()?;
    let value = text(input, b"ab<>\",;\\ \t\r\n:")?;
    Ok(match input.int_in_range(0..=9)? {
        0 => Step::PushFront(listed, value),
        1 => Step::PushBack(listed, value),
        2 => Step::PushRaw(listed, value),
        3 => Step::Replace(listed, value),
        4 => Step::ReplaceFirst(listed, value),
        5 | 6 => Step::PopFront(listed),
        7 => Step::Remove(listed),
        8 => Step::Body(if listed { Some(text(input, b"ab/")?) } else { None }, value.into_bytes()),
        _ if listed => Step::EnsureLength,
        _ => Step::Uri(format!("sip:{}", text(input, b"ab@ \r\n;")?)),
    })
}

fn run(mut input: Unstructured<'_>) -> Result<()> {
    let mut model = Model { uri: "sip:b".to_owned(), lines: Vec::new(), body: Vec::new() };
    for _ in 0..input.int_in_range(0..=6)? {
        model.lines.push(line(&mut input)?);
    }
    if input.arbitrary()? {
        model.body = text(&mut input, b"ab\r\n")?.into_bytes();
        let length = model.body.len();
        let raw = format!("l\t:{length} \r\n");
        model.lines.push(Line { name: HeaderName::CONTENT_LENGTH, value: length.to_string(), raw });
    }
    let mut steps = Vec::new();
    for _ in 0..input.int_in_range(0..=12)? {
        steps.push(step(&mut input)?);
    }
    model::check(model, &steps);
    Ok(())
}

fuzz_target!(|data: &[u8]| {
    let _ = run(Unstructured::new(data));
});
