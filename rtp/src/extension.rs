//! The elements of a header extension, in one-byte and two-byte form (RFC 8285 §4.2 and §4.3).

/// One element of a header extension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Element<'a> {
    /// The identifier that `a=extmap` gave to the kind of element.
    pub id: u8,
    /// What it says.
    pub data: &'a [u8],
}

/// Goes through the elements of an extension; ends at the first that is longer than the extension.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    form: Form,
    rest: &'a [u8],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Profile 0xBEDE.
    OneByte,
    /// Profile 0x1000 to 0x100F.
    TwoByte,
    /// Not an extension of RFC 8285.
    Other,
}

impl<'a> Elements<'a> {
    pub(crate) const fn new(profile: u16, data: &'a [u8]) -> Self {
        let form = match profile {
            0xbede => Form::OneByte,
            0x1000..=0x100f => Form::TwoByte,
            _ => Form::Other,
        };
        Self { form, rest: data }
    }

    fn split(&mut self, id: u8, len: usize, after: &'a [u8]) -> Option<Element<'a>> {
        let Some((data, rest)) = after.split_at_checked(len) else {
            self.rest = &[];
            return None;
        };
        self.rest = rest;
        Some(Element { id, data })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        loop {
            match (self.form, self.rest) {
                // A zero byte is padding, in both forms.
                (Form::OneByte | Form::TwoByte, [0, rest @ ..]) => self.rest = rest,
                (Form::OneByte, [head, after @ ..]) => {
                    // Identifier 15 ends the list (§4.2).
                    if head >> 4 == 15 {
                        return None;
                    }
                    return self.split(head >> 4, usize::from(head & 0x0f) + 1, after);
                }
                (Form::TwoByte, [id, len, after @ ..]) => return self.split(*id, usize::from(*len), after),
                (Form::Other, _) | (Form::OneByte | Form::TwoByte, _) => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(profile: u16, data: &[u8]) -> Vec<(u8, &[u8])> {
        Elements::new(profile, data).map(|element| (element.id, element.data)).collect()
    }

    #[test]
    fn one_byte_elements_are_found_between_padding() {
        // The example of §4.2: lengths 1, 2 and 4, with padding.
        let data = [0x10, 0xa1, 0x21, 0xb1, 0xb2, 0, 0, 0x33, 1, 2, 3, 4];
        assert_eq!(all(0xbede, &data), [(1, &[0xa1][..]), (2, &[0xb1, 0xb2]), (3, &[1, 2, 3, 4])]);
    }

    #[test]
    fn two_byte_elements_may_be_empty() {
        let data = [1, 0, 2, 1, 0xb1, 0, 3, 4, 1, 2, 3, 4];
        assert_eq!(all(0x1000, &data), [(1, &[][..]), (2, &[0xb1]), (3, &[1, 2, 3, 4])]);
    }

    #[test]
    fn an_element_longer_than_the_extension_ends_the_list() {
        assert_eq!(all(0xbede, &[0x10, 0xa1, 0x2f, 0]), [(1, &[0xa1][..])]);
        assert_eq!(all(0x1000, &[9]), []);
    }

    #[test]
    fn identifier_fifteen_ends_the_one_byte_list() {
        assert_eq!(all(0xbede, &[0xf0, 1, 0x10, 2]), []);
    }

    #[test]
    fn other_profiles_have_no_elements() {
        assert_eq!(all(0x1234, &[0x10, 0xa1, 0, 0]), []);
    }
}
