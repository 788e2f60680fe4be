//! What the encoder remembers of one instrument: the keys and values of the last 64 tokens.

use crate::cross::SlotMemory;
use crate::encoder::Encoder;
use crate::kernels::{HeadKeys, HeadValues};
use crate::shape::{D_MODEL, HEAD_DIM, HEADS, LAYERS, WINDOW};

/// Ring of one layer; slot = token position modulo 64.
#[derive(Clone, Debug, PartialEq)]
#[repr(align(64))]
pub(crate) struct LayerRing {
    /// (head, dim, slot)
    pub keys: [HeadKeys; HEADS],
    /// (head, slot, dim)
    pub values: [HeadValues; HEADS],
}

impl LayerRing {
    const EMPTY: LayerRing = LayerRing {
        keys: [[[0.0; WINDOW]; HEAD_DIM]; HEADS],
        values: [[[0.0; HEAD_DIM]; WINDOW]; HEADS],
    };

    /// Overwrites the values in `slot`; `v` is (head, dim).
    #[inline(always)]
    pub fn store_values(&mut self, slot: usize, v: &[[f32; HEAD_DIM]; HEADS]) {
        for head in 0..HEADS {
            self.values[head][slot] = v[head];
        }
    }

    /// Overwrites the keys in `slot`; `k` is (head, dim).
    #[inline(always)]
    pub fn store_keys(&mut self, slot: usize, k: &[[f32; HEAD_DIM]; HEADS]) {
        for head in 0..HEADS {
            for dim in 0..HEAD_DIM {
                self.keys[head][dim][slot] = k[head][dim];
            }
        }
    }
}

/// Where the newest token lies in the rings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Band {
    /// Slot of the newest token.
    pub slot: usize,
    /// Slots in use, the newest included: 1 to 64. Slots `filled..` were never written.
    pub filled: usize,
}

impl Band {
    /// Band of the token at `position`, counted from 0.
    pub fn at(position: u64) -> Band {
        let slot = (position % WINDOW as u64) as usize;
        let filled = if position < WINDOW as u64 { slot + 1 } else { WINDOW };
        Band { slot, filled }
    }
}

/// Rings of all members of one [`Encoder`] for one instrument, about 200 KB a member. All memory
/// is taken at construction.
#[derive(Clone, Debug, PartialEq)]
pub struct EncoderState {
    position: u64,
    /// (member, layer)
    rings: Vec<LayerRing>,
    slots: SlotMemory,
}

const _: () = assert!(size_of::<LayerRing>() == 2 * WINDOW * D_MODEL * size_of::<f32>());

impl EncoderState {
    /// Makes the empty state of an instrument for this encoder.
    pub fn new(encoder: &Encoder) -> EncoderState {
        let rings = vec![LayerRing::EMPTY; encoder.member_count() * LAYERS];
        let slots = SlotMemory::new(encoder.member_count(), encoder.slots().len());
        EncoderState { position: 0, rings, slots }
    }

    /// Forgets every token and slot: the state is then equal to a new one. Used between sessions.
    pub fn reset(&mut self) {
        self.position = 0;
        self.rings.fill(LayerRing::EMPTY);
        self.slots.reset();
    }

    /// Returns how many tokens were taken since the start or the last reset. From 64 on the whole
    /// band of the first layer is filled.
    pub fn token_count(&self) -> u64 {
        self.position
    }

    /// The tokens taken are the last of `position` tokens: they lie in the slots they would lie
    /// in had all been taken.
    pub(crate) fn continue_at(&mut self, position: u64) {
        let same = position % WINDOW as u64 == self.position % WINDOW as u64;
        assert!(same, "Invariant: a token keeps its slot");
        self.position = position;
    }

    pub(crate) fn advance(&mut self) {
        self.position += 1;
    }

    /// Returns the rings of every member, each (layer,), and what is known of the slots.
    pub(crate) fn parts(
        &mut self,
    ) -> (impl ExactSizeIterator<Item = &mut [LayerRing]>, &mut SlotMemory) {
        (self.rings.chunks_exact_mut(LAYERS), &mut self.slots)
    }
}
