//! Enums that are written as one word each, in events and in answers.

/// Writes a type as the word that one of its methods gives.
macro_rules! written_as {
    ($name:ident, $method:ident) => {
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(self.$method())
            }
        }
    };
}

pub(crate) use written_as;
