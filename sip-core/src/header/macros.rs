//! Shapes that many header values share, so that their files say only what is their own.

/// `Display` and `FromStr` by what [`TypedHeader`](crate::header::TypedHeader) writes and reads.
macro_rules! text_forms {
    ($type:ident) => {
        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                crate::scan::show(f, |out| crate::header::TypedHeader::encode(self, out))
            }
        }

        impl std::str::FromStr for $type {
            type Err = crate::error::ParseError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                crate::header::TypedHeader::parse(&bytes::Bytes::copy_from_slice(text.as_bytes()))
            }
        }
    };
}

/// From and To: an address with the tag of one side of the dialog, borrowed as the same name of [`view`](crate::view).
macro_rules! tagged_address_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, $(#[$tag:meta])* tag) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type {
            /// The address and its parameters.
            pub name_addr: crate::header::NameAddr,
        }

        impl $type {
            /// The header of a URI alone.
            #[must_use]
            pub const fn new(uri: crate::uri::Uri) -> Self {
                Self { name_addr: crate::header::NameAddr::new(uri) }
            }

            /// The URI.
            #[must_use]
            pub const fn uri(&self) -> &crate::uri::Uri {
                &self.name_addr.uri
            }

            $(#[$tag])*
            #[must_use]
            pub fn tag(&self) -> Option<&[u8]> {
                self.name_addr.params.value("tag")
            }

            /// The value with this tag.
            #[must_use]
            pub fn with_tag(mut self, tag: &[u8]) -> Self {
                self.name_addr.params.set("tag", Some(tag));
                self
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = false;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, crate::header::NameAddr::scan).map(|name_addr| Self { name_addr })
            }

            fn parse_at(
                message: &bytes::Bytes,
                range: std::ops::Range<usize>,
            ) -> Result<Self, crate::error::ParseError> {
                let value = message.get(range).unwrap_or_default();
                let crate::view::$type(name_addr) = crate::view::HeaderView::parse(value)?;
                Ok(Self { name_addr: name_addr.keep(&message) })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                self.name_addr.encode(out);
            }
        }

        impl std::convert::From<crate::header::NameAddr> for $type {
            fn from(name_addr: crate::header::NameAddr) -> Self {
                Self { name_addr }
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is `name-addr *(SEMI param)`.
macro_rules! name_addr_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, list: $list:literal, form: $form:ident $(, empty: $empty:literal)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type(pub crate::header::NameAddr);

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = $list;
            const EMPTY: bool = false $(|| $empty)?;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, crate::header::NameAddr::$form).map(Self)
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                self.0.encode(out);
            }
        }

        impl std::convert::From<crate::header::NameAddr> for $type {
            fn from(name_addr: crate::header::NameAddr) -> Self {
                Self(name_addr)
            }
        }

        impl std::convert::From<crate::uri::Uri> for $type {
            fn from(uri: crate::uri::Uri) -> Self {
                Self(crate::header::NameAddr::new(uri))
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is a decimal number.
macro_rules! number_header {
    ($(#[$doc:meta])* $type:ident($number:ty), $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub $number);

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = false;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| cursor.number_as().map(Self))
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::write::number(u64::from(self.0), out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is a number of seconds, where too large a number counts as the largest.
macro_rules! seconds_header {
    ($(#[$doc:meta])* $type:ident, $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $type(pub u32);

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = false;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| cursor.seconds().map(Self))
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::write::number(u64::from(self.0), out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is a number and parameters.
macro_rules! number_parameter_header {
    ($(#[$doc:meta])* $type:ident { $(#[$field_doc:meta])* $field:ident: $number:ty }, $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type {
            $(#[$field_doc])*
            pub $field: $number,
            /// What follows it.
            pub params: crate::uri::Params,
        }

        impl $type {
            /// A number without parameters.
            #[must_use]
            pub const fn new($field: $number) -> Self {
                Self { $field, params: crate::uri::Params::new() }
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = false;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| {
                    Ok(Self { $field: cursor.number_as()?, params: crate::uri::Params::scan(cursor)? })
                })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::write::number(u64::from(self.$field), out);
                self.params.encode(out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header that names a dialog: a Call-ID and two tags, both of which must be there.
macro_rules! dialog_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, $first:ident $first_name:literal, $second:ident $second_name:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type {
            /// The dialog's Call-ID.
            pub call_id: crate::header::CallId,
            /// The tags, and what else follows.
            pub params: crate::uri::Params,
        }

        impl $type {
            /// A value of a Call-ID and both tags.
            #[must_use]
            pub fn new(call_id: crate::header::CallId, $first: &[u8], $second: &[u8]) -> Self {
                let params = crate::uri::Params::new().with($first_name, Some($first)).with($second_name, Some($second));
                Self { call_id, params }
            }

            #[doc = concat!("The `", $first_name, "`, empty if it lacks one.")]
            #[must_use]
            pub fn $first(&self) -> &[u8] {
                self.params.value($first_name).unwrap_or_default()
            }

            #[doc = concat!("The `", $second_name, "`, empty if it lacks one.")]
            #[must_use]
            pub fn $second(&self) -> &[u8] {
                self.params.value($second_name).unwrap_or_default()
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = false;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| {
                    let call_id = crate::header::CallId(cursor.word()?);
                    let params = crate::uri::Params::scan(cursor)?;
                    if params.value($first_name).is_none() || params.value($second_name).is_none() {
                        let offset = cursor.offset();
                        return Err(crate::scan::Fault { kind: crate::error::ErrorKind::Missing, offset });
                    }
                    Ok(Self { call_id, params })
                })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::scan::put_word(&self.call_id.0, out);
                self.params.encode(out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A list of `namespace "." priority` (RFC 4412 §3.1).
macro_rules! priority_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, empty: $empty:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type {
            /// The namespace that gives the priority its meaning.
            pub namespace: bytes::Bytes,
            /// The priority within it.
            pub priority: bytes::Bytes,
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = true;
            const EMPTY: bool = $empty;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| {
                    let start = cursor.offset();
                    let token = cursor.token()?;
                    let mut parts = token.split(|&byte| byte == b'.');
                    match (parts.next(), parts.next(), parts.next()) {
                        (Some(namespace @ [_, ..]), Some([_, ..]), None) => {
                            let at = start + namespace.len();
                            Ok(Self { namespace: cursor.slice(start, at), priority: cursor.since(at + 1) })
                        }
                        _ => Err(crate::scan::Fault { kind: crate::error::ErrorKind::Syntax, offset: start }),
                    }
                })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::scan::put_token(&self.namespace, out);
                out.put_u8(b'.');
                crate::scan::put_token(&self.priority, out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is one token, or a list of them.
macro_rules! token_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, list: $list:literal, empty: $empty:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type(pub bytes::Bytes);

        impl $type {
            /// A value that is known when the program is written.
            #[must_use]
            pub const fn from_static(token: &'static str) -> Self {
                Self(bytes::Bytes::from_static(token.as_bytes()))
            }

            /// The token's bytes.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }

            /// Whether it is this token, in any case.
            #[must_use]
            pub fn is(&self, token: &str) -> bool {
                self.0.eq_ignore_ascii_case(token.as_bytes())
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = $list;
            const EMPTY: bool = $empty;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, crate::scan::Cursor::token).map(Self)
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::scan::put_token(&self.0, out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is a line of text.
macro_rules! text_header {
    ($(#[$doc:meta])* $type:ident, $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type(pub bytes::Bytes);

        impl $type {
            /// A text that is known when the program is written.
            #[must_use]
            pub const fn from_static(text: &'static str) -> Self {
                Self(bytes::Bytes::from_static(text.as_bytes()))
            }

            /// The text's bytes, mostly UTF-8.
            #[must_use]
            pub fn as_bytes(&self) -> &[u8] {
                &self.0
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = false;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| Ok(cursor.text())).map(Self)
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                crate::scan::put(self.0.trim_ascii(), crate::scan::TEXT, out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is one thing and parameters: `value *(SEMI param)`.
macro_rules! parameter_header {
    (
        $(#[$doc:meta])* $type:ident { $(#[$field_doc:meta])* $field:ident: $read:path, $write:path },
        $name:ident, list: $list:literal, empty: $empty:literal
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type {
            $(#[$field_doc])*
            pub $field: bytes::Bytes,
            /// What follows it.
            pub params: crate::uri::Params,
        }

        impl $type {
            /// A value that is known when the program is written, without parameters.
            #[must_use]
            pub const fn from_static($field: &'static str) -> Self {
                Self { $field: bytes::Bytes::from_static($field.as_bytes()), params: crate::uri::Params::new() }
            }

            /// The value with this parameter: see [`Params::set`](crate::uri::Params::set).
            #[must_use]
            pub fn with_param(mut self, name: &str, value: Option<&[u8]>) -> Self {
                self.params.set(name, value);
                self
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = $list;
            const EMPTY: bool = $empty;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| {
                    Ok(Self { $field: $read(cursor)?, params: crate::uri::Params::scan(cursor)? })
                })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                $write(&self.$field, out);
                self.params.encode(out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is a URI in `<>` and parameters, without a display name. A URI without `<>` is let through.
macro_rules! uri_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, list: $list:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type {
            /// The URI.
            pub uri: crate::uri::Uri,
            /// What follows it.
            pub params: crate::uri::Params,
        }

        impl $type {
            /// A value that is a URI alone.
            #[must_use]
            pub const fn new(uri: crate::uri::Uri) -> Self {
                Self { uri, params: crate::uri::Params::new() }
            }
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = $list;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| {
                    let offset = cursor.offset();
                    match crate::header::NameAddr::scan(cursor)? {
                        crate::header::NameAddr { display: None, uri, params } => Ok(Self { uri, params }),
                        _ => Err(crate::scan::Fault { kind: crate::error::ErrorKind::Syntax, offset }),
                    }
                })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                out.put_u8(b'<');
                self.uri.encode(out);
                out.put_u8(b'>');
                self.params.encode(out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is `*` and parameters that say what it wants or offers.
macro_rules! star_header {
    ($(#[$doc:meta])* $type:ident, $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $type {
            /// The parameters.
            pub params: crate::uri::Params,
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = true;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::scan::value(value, Self::NAME, |cursor| {
                    if !cursor.eat(b'*') {
                        return Err(cursor.wrong());
                    }
                    Ok(Self { params: crate::uri::Params::scan(cursor)? })
                })
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                out.put_u8(b'*');
                self.params.encode(out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A header whose value is nothing but parameters.
macro_rules! bare_parameter_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, list: $list:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
        pub struct $type {
            /// The parameters.
            pub params: crate::uri::Params,
        }

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = $list;

            fn parse(value: &bytes::Bytes) -> Result<Self, crate::error::ParseError> {
                crate::uri::Params::parse_bare(value)
                    .map(|params| Self { params })
                    .map_err(|fault| fault.within(crate::error::Part::Header(Self::NAME)))
            }

            fn encode(&self, out: &mut impl bytes::BufMut) {
                let list = self.params.as_bytes();
                out.put_slice(list.strip_prefix(b";").unwrap_or(list));
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

/// A test that examples are read and written, and that others are refused: those of `same` are written as they were
/// read, those of `other` with other white space or quotes.
#[cfg(test)]
macro_rules! examples {
    ($type:ident, $test:ident, same: [$($same:expr),* $(,)?], other: [$($other:expr),* $(,)?], refused: [$($bad:expr),* $(,)?]) => {
        #[test]
        fn $test() {
            let same: &[&str] = &[$($same),*];
            let other: &[&str] = &[$($other),*];
            for text in same.iter().chain(other) {
                let value: $type = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
                let written = value.to_string();
                assert_eq!(written.parse::<$type>().as_ref(), Ok(&value), "{text} -> {written}");
                assert!(!same.contains(text) || written == *text, "{text} -> {written}");
            }
            let refused: &[&str] = &[$($bad),*];
            for text in refused {
                assert!(text.parse::<$type>().is_err(), "{text}");
            }
        }
    };
}

#[cfg(test)]
pub(crate) use examples;
pub(crate) use {
    bare_parameter_header, dialog_header, name_addr_header, number_header, number_parameter_header, parameter_header,
    priority_header, seconds_header, star_header, tagged_address_header, text_forms, text_header, token_header,
    uri_header,
};
