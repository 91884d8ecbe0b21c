//! Identity (RFC 8224 §4).

use bytes::{BufMut, Bytes};

use crate::error::ParseError;
use crate::header::macros::text_forms;
use crate::header::{HeaderName, TypedHeader};
use crate::scan::{self, Cursor, Scan};
use crate::uri::{Params, Uri};

/// A signature over who calls whom (a PASSporT), and where its certificate is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Identity {
    /// The signed digest, in base64; white space that folding left in it and the quotes of RFC 4474 are removed.
    pub digest: Bytes,
    /// `info`, `alg`, `ppt` and others. RFC 4474 had none.
    pub params: Params,
}

impl Identity {
    /// Where the certificate is.
    #[must_use]
    pub fn info(&self) -> Option<Uri> {
        let value = self.params.bytes("info")?;
        let length = value.len();
        match &*value {
            [b'<', .., b'>'] => Uri::parse(&value.slice(1..length - 1)).ok(),
            _ => None,
        }
    }

    /// The algorithm, ES256 if none is said.
    #[must_use]
    pub fn algorithm(&self) -> &[u8] {
        self.params.value("alg").unwrap_or(b"ES256")
    }

    /// The kind of PASSporT, such as `shaken`.
    #[must_use]
    pub fn passport_type(&self) -> Option<std::borrow::Cow<'_, [u8]>> {
        self.params.text("ppt")
    }

    fn scan(cursor: &mut Cursor<'_>) -> Scan<Self> {
        let start = cursor.offset();
        let (start, end) = if cursor.peek() == Some(b'"') {
            let content = cursor.quoted()?;
            (start + 1, start + 1 + content.len())
        } else {
            let rest = cursor.rest();
            let length = rest.iter().position(|&byte| byte == b';').unwrap_or(rest.len());
            cursor.advance(length);
            (start, start + length)
        };
        let written = cursor.raw(start, end).trim_ascii_end();
        if let Some(at) = written.iter().position(|&byte| !is_digest(byte) && !scan::is(byte, scan::SPACE)) {
            return Err(scan::Fault { kind: crate::error::ErrorKind::Syntax, offset: start + at });
        }
        if written.is_empty() {
            return Err(cursor.wrong());
        }
        let digest = if written.iter().any(|&byte| scan::is(byte, scan::SPACE)) {
            written.iter().copied().filter(|&byte| !scan::is(byte, scan::SPACE)).collect()
        } else {
            cursor.slice(start, start + written.len())
        };
        Ok(Self { digest, params: Params::scan(cursor)? })
    }
}

fn is_digest(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'+' | b'=' | b'.' | b'-' | b'_')
}

impl TypedHeader for Identity {
    const NAME: HeaderName = HeaderName::IDENTITY;
    const LIST: bool = false;

    fn parse(value: &Bytes) -> Result<Self, ParseError> {
        scan::value(value, Self::NAME, Self::scan)
    }

    fn encode(&self, out: &mut impl BufMut) {
        for &byte in &self.digest {
            if is_digest(byte) {
                out.put_u8(byte);
            }
        }
        self.params.encode(out);
    }
}

text_forms!(Identity);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header::macros::examples;

    examples! {
        Identity, the_examples_of_rfc_8224_and_rfc_4474_are_read_and_written,
        same: [
            "sv5CTo05KqpSmtHt3dcEiO/1CWTSZtnG3iV+1nmurLXV/HmtyNS7Ltrg9dlxkWzoeU7d7OV8HweTTDobV3itTmgPwCFjaEmMyEI3d7SyN21yNDo2ER/Ovgtw0Lu5csIp;info=<https://biloxi.example.org/biloxi.cer>;alg=ES256",
            "eyJhbGciOiJFUzI1NiJ9..rq3pjT1akEU;info=<https://cert.example.org/p;a.cer>;ppt=\"shaken\""
        ],
        other: ["\"ZYNBbHC00VMZr2k ifsRdiOPoQZYOy2w=\"", "Tm8sIHRoaXMgaXNu Zpb3VzbHkgaGF2 ; info=<https://a.example>"],
        refused: ["", "\"\"", ";info=<https://a.example>", "a,b", "abc;info=<https://a"]
    }

    #[test]
    fn certificate_algorithm_and_type_are_found() {
        let identity: Identity = "ab c;info=<https://a.example/x;y>;ppt=\"shaken\"".parse().unwrap();
        assert_eq!(identity.digest, &b"abc"[..]);
        assert_eq!(identity.info().unwrap().to_string(), "https://a.example/x;y");
        assert_eq!(identity.algorithm(), b"ES256");
        assert_eq!(identity.passport_type().as_deref(), Some(&b"shaken"[..]));
        assert_eq!("abc".parse::<Identity>().unwrap().info(), None);
    }
}
