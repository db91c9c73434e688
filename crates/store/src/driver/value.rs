//! The four kinds of parameter that both databases take, and `params!`, which makes a list of
//! them. A null keeps its kind, because PostgreSQL refuses a null of unknown type.

use portcullis_domain::id::{RoleId, SeriesId, SessionHandle, SessionId, UserId};
use portcullis_domain::secret::Mac;
use portcullis_domain::time::Time;

/// One bound parameter; `None` is SQL's NULL.
#[derive(Clone, Copy)]
pub(crate) enum Value<'a> {
    Bool(Option<bool>),
    Int(Option<i64>),
    Text(Option<&'a str>),
    Blob(Option<&'a [u8]>),
}

/// `params![id, "text", None::<i64>]` gives `&[Value]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::driver::Value::from($value)),*] };
}

/// Binds every value to a query of either driver; generic code would need a page of bounds.
macro_rules! bind {
    ($query:expr, $params:expr) => {
        $params.iter().fold($query, |query, value| match *value {
            $crate::driver::Value::Bool(value) => query.bind(value),
            $crate::driver::Value::Int(value) => query.bind(value),
            $crate::driver::Value::Text(value) => query.bind(value),
            $crate::driver::Value::Blob(value) => query.bind(value),
        })
    };
}

macro_rules! into_value {
    ($($from:ty, $name:ident => $kind:ident($inner:expr);)*) => { $(
        impl<'a> From<$from> for Value<'a> {
            fn from($name: $from) -> Self {
                Value::$kind(Some($inner))
            }
        }
        impl<'a> From<Option<$from>> for Value<'a> {
            fn from(value: Option<$from>) -> Self {
                Value::$kind(value.map(|$name| $inner))
            }
        }
    )* };
}

into_value! {
    bool, value => Bool(value);
    i64, value => Int(value);
    Time, value => Int(value.0);
    UserId, value => Int(value.0);
    RoleId, value => Int(value.0);
    &'a str, value => Text(value);
    &'a String, value => Text(value.as_str());
    &'a SessionId, value => Text(value.as_str());
    &'a SeriesId, value => Text(value.as_str());
    &'a SessionHandle, value => Text(value.as_str());
    &'a [u8], value => Blob(value);
    &'a [u8; 12], value => Blob(value.as_slice());
    &'a Mac, value => Blob(value.as_bytes().as_slice());
}

pub(crate) use bind;
pub(crate) use params;
