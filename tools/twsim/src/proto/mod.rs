//! The protocol's messages as the simulator speaks them: declared here by field number, nothing
//! generated. Every field is optional, as on the wire; fields not declared are ignored when read.
//!
//! Each declaration also gives a table of its fields ([`Described`]): it names fields in
//! transcripts, and a test holds it against the descriptors of the broker's own client.

#![allow(missing_docs, reason = "fields are named as the protocol names them")]

mod account;
mod common;
mod market;
mod orders;
mod reference;
pub mod registry;
mod session;

pub use account::*;
pub use common::*;
pub use market::*;
pub use orders::*;
pub use reference::*;
pub use session::*;

/// What a field holds.
#[derive(Clone, Copy)]
pub enum Kind {
    /// Varint of 32 bits.
    I32,
    /// Varint of 64 bits.
    I64,
    /// Truth value.
    Bool,
    /// Eight bytes.
    F64,
    /// Text.
    Text,
    /// Texts by text.
    Map,
    /// Another message.
    Message(fn() -> Schema),
}

/// One declared field.
#[derive(Clone, Copy)]
pub struct Field {
    /// Name in snake case.
    pub name: &'static str,
    /// Field number.
    pub tag: u32,
    /// What it holds.
    pub kind: Kind,
    /// Whether it may come several times.
    pub many: bool,
}

/// Name and fields of a message.
#[derive(Clone, Copy)]
pub struct Schema {
    /// Name in the protocol.
    pub name: &'static str,
    /// Fields by number.
    pub fields: &'static [Field],
}

/// A message with a table of its fields.
pub trait Described: prost::Message + Default {
    /// Returns the table.
    fn schema() -> Schema;
}

/// Declares messages: `Name { field: kind = number, ... }`. Kinds are `i32`, `i64`, `bool`, `f64`,
/// `text`, `map`, `{Message}`; in brackets for repeated ones.
macro_rules! messages {
    ($($(#[$doc:meta])* $name:ident { $($field:ident : $kind:tt = $tag:tt),* $(,)? })*) => {
        $($crate::proto::message!(@ $name [$(#[$doc])*] [] [] $($field $kind $tag,)*);)*
    };
}

macro_rules! message {
    (@ $name:ident [$($doc:tt)*] [$($out:tt)*] [$($row:tt)*]) => {
        $($doc)*
        #[derive(Clone, PartialEq, ::prost::Message)]
        pub struct $name { $($out)* }
        impl $crate::proto::Described for $name {
            fn schema() -> $crate::proto::Schema {
                const FIELDS: &[$crate::proto::Field] = &[$($row)*];
                $crate::proto::Schema { name: stringify!($name), fields: FIELDS }
            }
        }
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident i32 $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(int32, optional, tag = $t)] pub $f: Option<i32>,]
            [$($r)* $crate::proto::row!($f, $t, I32, false),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident i64 $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(int64, optional, tag = $t)] pub $f: Option<i64>,]
            [$($r)* $crate::proto::row!($f, $t, I64, false),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident bool $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(bool, optional, tag = $t)] pub $f: Option<bool>,]
            [$($r)* $crate::proto::row!($f, $t, Bool, false),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident f64 $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(double, optional, tag = $t)] pub $f: Option<f64>,]
            [$($r)* $crate::proto::row!($f, $t, F64, false),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident text $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(string, optional, tag = $t)] pub $f: Option<String>,]
            [$($r)* $crate::proto::row!($f, $t, Text, false),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident map $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(btree_map = "string, string", tag = $t)]
             pub $f: ::std::collections::BTreeMap<String, String>,]
            [$($r)* $crate::proto::row!($f, $t, Map, true),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident [i32] $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(int32, repeated, tag = $t)] pub $f: Vec<i32>,]
            [$($r)* $crate::proto::row!($f, $t, I32, true),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident [f64] $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(double, repeated, tag = $t)] pub $f: Vec<f64>,]
            [$($r)* $crate::proto::row!($f, $t, F64, true),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident [text] $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(string, repeated, tag = $t)] pub $f: Vec<String>,]
            [$($r)* $crate::proto::row!($f, $t, Text, true),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident {$m:ident} $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(message, optional, tag = $t)] pub $f: Option<$m>,]
            [$($r)* $crate::proto::row!($f, $t, $m, false, message),] $($rest)*);
    };
    (@ $n:ident $d:tt [$($o:tt)*] [$($r:tt)*] $f:ident [$m:ident] $t:tt, $($rest:tt)*) => {
        $crate::proto::message!(@ $n $d
            [$($o)* #[prost(message, repeated, tag = $t)] pub $f: Vec<$m>,]
            [$($r)* $crate::proto::row!($f, $t, $m, true, message),] $($rest)*);
    };
}

macro_rules! row {
    ($f:ident, $t:tt, $m:ident, $many:literal, message) => {
        $crate::proto::Field {
            name: stringify!($f),
            tag: $t,
            kind: $crate::proto::Kind::Message(<$m as $crate::proto::Described>::schema),
            many: $many,
        }
    };
    ($f:ident, $t:tt, $kind:ident, $many:literal) => {
        $crate::proto::Field {
            name: stringify!($f),
            tag: $t,
            kind: $crate::proto::Kind::$kind,
            many: $many,
        }
    };
}

use {message, messages, row};
