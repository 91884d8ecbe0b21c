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

/// A header whose value is `name-addr *(SEMI param)`: one field `name_addr`, which the type derefs to.
macro_rules! name_addr_header {
    ($(#[$doc:meta])* $type:ident, $name:ident, list: $list:literal, form: $form:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $type(pub crate::header::NameAddr);

        impl crate::header::TypedHeader for $type {
            const NAME: crate::header::HeaderName = crate::header::HeaderName::$name;
            const LIST: bool = $list;

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
                crate::scan::put_number(u64::from(self.0), out);
            }
        }

        crate::header::macros::text_forms!($type);
    };
}

pub(crate) use {name_addr_header, number_header, text_forms};
