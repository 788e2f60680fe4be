//! The JSON of one line, borrowed from it: no values are copied but the list of levels.

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// A level as text: price and quantity.
pub(super) type Pair<'a> = (&'a str, &'a str);

/// A field whose type depends on the kind of message (`b` is a list in a depth update, a price in
/// a book ticker, an order id in a trade).
#[derive(Debug, Default)]
pub(super) enum Field<'a> {
    /// Not there.
    #[default]
    Missing,
    /// A text without escapes.
    Text(&'a str),
    /// A number that is a whole one.
    Number(u64),
    /// True or false.
    Bool(bool),
    /// A list of levels.
    Levels(Vec<Pair<'a>>),
    /// An object.
    Message(Box<Message<'a>>),
    /// Anything else.
    Other,
}

/// Every field of every kind of message that is read.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Message<'a> {
    #[serde(borrow)]
    pub(super) data: Field<'a>,
    #[serde(borrow, rename = "e")]
    pub(super) kind: Field<'a>,
    #[serde(borrow, rename = "E")]
    pub(super) event_time: Field<'a>,
    #[serde(borrow, rename = "T")]
    pub(super) time: Field<'a>,
    #[serde(borrow, rename = "s")]
    pub(super) symbol: Field<'a>,
    #[serde(borrow, rename = "symbol")]
    pub(super) long_symbol: Field<'a>,
    #[serde(borrow, rename = "U")]
    pub(super) first_id: Field<'a>,
    #[serde(borrow, rename = "u")]
    pub(super) last_id: Field<'a>,
    #[serde(borrow, rename = "pu")]
    pub(super) previous_id: Field<'a>,
    #[serde(borrow)]
    pub(super) b: Field<'a>,
    #[serde(borrow, rename = "B")]
    pub(super) bid_qty: Field<'a>,
    #[serde(borrow)]
    pub(super) a: Field<'a>,
    #[serde(borrow, rename = "A")]
    pub(super) ask_qty: Field<'a>,
    #[serde(borrow, rename = "p")]
    pub(super) price: Field<'a>,
    #[serde(borrow, rename = "q")]
    pub(super) qty: Field<'a>,
    #[serde(borrow, rename = "m")]
    pub(super) buyer_is_maker: Field<'a>,
    #[serde(borrow, rename = "lastUpdateId")]
    pub(super) snapshot_id: Field<'a>,
    #[serde(borrow)]
    pub(super) bids: Field<'a>,
    #[serde(borrow)]
    pub(super) asks: Field<'a>,
}

impl<'a> Message<'a> {
    /// Returns the message inside a combined stream's envelope, or the message itself.
    pub(super) fn inner(self) -> Message<'a> {
        match self.data {
            Field::Message(inner) => *inner,
            _ => self,
        }
    }

    /// Returns the symbol's text, where the message has one.
    pub(super) fn symbol_text(&self) -> Option<&'a str> {
        match (&self.symbol, &self.long_symbol) {
            (Field::Text(text), _) | (_, Field::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// Returns what kind of message this is.
    pub(super) fn kind(&self) -> Kind {
        match (&self.kind, &self.snapshot_id, &self.last_id) {
            (Field::Text("depthUpdate"), _, _) => Kind::Depth,
            (Field::Text("trade"), _, _) => Kind::Trade,
            (Field::Text("bookTicker"), _, _) => Kind::Ticker,
            (Field::Missing, Field::Number(_), _) => Kind::Snapshot,
            // The spot market's book ticker names no kind.
            (Field::Missing, _, Field::Number(_)) => Kind::Ticker,
            _ => Kind::Other,
        }
    }
}

/// Kind of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Changed levels.
    Depth,
    /// All levels down to a depth.
    Snapshot,
    /// A trade.
    Trade,
    /// The best of both sides.
    Ticker,
    /// Something that is not read.
    Other,
}

impl<'de: 'a, 'a> Deserialize<'de> for Field<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Field<'a>, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = Field<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Field<'de>, E> {
        Ok(Field::Text(text))
    }

    fn visit_str<E>(self, _escaped: &str) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_u64<E>(self, value: u64) -> Result<Field<'de>, E> {
        Ok(Field::Number(value))
    }

    fn visit_i64<E>(self, _negative: i64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_f64<E>(self, _value: f64) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Field<'de>, E> {
        Ok(Field::Bool(value))
    }

    fn visit_unit<E>(self) -> Result<Field<'de>, E> {
        Ok(Field::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Field<'de>, A::Error> {
        Message::deserialize(MapAccessDeserializer::new(map)).map(|m| Field::Message(Box::new(m)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Field<'de>, A::Error> {
        let mut pairs = Vec::new();
        let mut all_pairs = true;
        while let Some(item) = list.next_element::<Item<'de>>()? {
            match item.0 {
                Some(pair) if all_pairs => pairs.push(pair),
                _ => all_pairs = false,
            }
        }
        Ok(if all_pairs { Field::Levels(pairs) } else { Field::Other })
    }
}

/// One element of a list: a level, or anything else.
struct Item<'a>(Option<Pair<'a>>);

impl<'de> Deserialize<'de> for Item<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ItemVisitor)
    }
}

struct ItemVisitor;

impl<'de> Visitor<'de> for ItemVisitor {
    type Value = Item<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a level or any other JSON value")
    }

    fn visit_str<E>(self, _v: &str) -> Result<Item<'de>, E> {
        Ok(Item(None))
    }

    fn visit_u64<E>(self, _v: u64) -> Result<Item<'de>, E> {
        Ok(Item(None))
    }

    fn visit_i64<E>(self, _v: i64) -> Result<Item<'de>, E> {
        Ok(Item(None))
    }

    fn visit_f64<E>(self, _v: f64) -> Result<Item<'de>, E> {
        Ok(Item(None))
    }

    fn visit_bool<E>(self, _v: bool) -> Result<Item<'de>, E> {
        Ok(Item(None))
    }

    fn visit_unit<E>(self) -> Result<Item<'de>, E> {
        Ok(Item(None))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Item<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Item(None))
    }

    /// Price, quantity, and whatever older versions of the interface put behind them.
    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Item<'de>, A::Error> {
        let mut texts = [None, None];
        for slot in &mut texts {
            match list.next_element::<Text<'de>>()? {
                Some(Text(text)) => *slot = text,
                None => return Ok(Item(None)),
            }
        }
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Item(texts[0].zip(texts[1])))
    }
}

/// A text without escapes, or `None` for any other value.
struct Text<'a>(Option<&'a str>);

impl<'de> Deserialize<'de> for Text<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The field visitor already tells texts from everything else.
        Ok(match Field::deserialize(deserializer)? {
            Field::Text(text) => Text(Some(text)),
            _ => Text(None),
        })
    }
}
