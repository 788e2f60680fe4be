//! What a device must hold, to the byte, before anything is taken.
//!
//! One arena holds weights, rings and counters; nothing is taken after start. The driver's own
//! memory (context, code, graphs) is a stated allowance, checked against what the driver reports
//! when there is one.

use super::layout::{HALF_BYTES, MEMBER_BYTES, OUTPUTS_PADDED, sections};
use crate::shape::{D_MODEL, HEADS, LAYERS, WINDOW};
use ijk_core::limits::MEMBER_COUNT_MAX;

/// Allowance for what the driver takes for itself: context, module, graphs. An assumption until
/// it was measured on a device.
pub const DRIVER_BYTES: u64 = 512 << 20;
/// The driver hands out memory in pieces of this size.
pub const ARENA_ALIGN_BYTES: u64 = 2 << 20;
/// Regions of the arena begin at multiples of this.
pub const REGION_ALIGN_BYTES: u64 = 256;
/// Pinned pages of the host.
pub const PAGE_BYTES: u64 = 4096;
/// Bytes of one token on its way to the device: place and scaled features.
pub const ENTRY_BYTES: u64 = 64;
/// Bytes in front of the tokens: their number and the step's.
pub const CONTROL_BYTES: u64 = 64;
/// Bytes of the flag that says which step is done.
pub const FLAG_BYTES: u64 = 64;
/// Most symbols a plan is made for.
pub const SYMBOL_COUNT_MAX: u64 = 1 << 20;
/// Windows a plan is made for: powers of two.
pub const WINDOW_RANGE: (u64, u64) = (32, 4096);

/// What is to be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Symbols, each with its own rings.
    pub symbols: u64,
    /// Ensemble members.
    pub members: u64,
    /// Tokens in the attention band.
    pub window: u64,
}

/// Where a region lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the one arena on the device.
    Arena,
    /// On the device, taken by the driver.
    Driver,
    /// Pinned memory of the host.
    Host,
}

impl Place {
    /// Returns the name used in tables.
    pub const fn name(self) -> &'static str {
        match self {
            Place::Arena => "arena",
            Place::Driver => "driver",
            Place::Host => "pinned host",
        }
    }
}

/// One region of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region {
    /// What it holds.
    pub name: &'static str,
    /// Where it lies.
    pub place: Place,
    /// First byte in the arena; 0 elsewhere.
    pub offset: u64,
    /// Bytes, alignment included.
    pub bytes: u64,
}

/// A plan within its budget.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What it serves.
    pub request: Request,
    /// Every region, the arena's first, in the order of their addresses.
    pub regions: Vec<Region>,
    /// Bytes of the one arena.
    pub arena_bytes: u64,
    /// Everything on the device, the driver's allowance included.
    pub device_bytes: u64,
    /// Pinned memory of the host.
    pub host_bytes: u64,
    /// What was allowed on the device.
    pub budget_bytes: u64,
    /// Most symbols the budget holds with these members and this window.
    pub symbols_max: u64,
}

/// Why there is no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Members out of range.
    #[error("members is {0}; use 1 to {max}", max = MEMBER_COUNT_MAX)]
    Members(u64),
    /// Symbols out of range.
    #[error("symbols is {0}; use 1 to {SYMBOL_COUNT_MAX}")]
    Symbols(u64),
    /// Slots are positions modulo the window.
    #[error(
        "window is {0}; use a power of two, {min} to {max}",
        min = WINDOW_RANGE.0,
        max = WINDOW_RANGE.1
    )]
    Window(u64),
    /// More than the budget.
    #[error(
        "{symbols} symbols with {members} members and a window of {window} need {needed} bytes on \
         the device, the budget is {budget}; the largest number of symbols that fits is \
         {symbols_max}"
    )]
    OverBudget {
        /// Symbols asked for.
        symbols: u64,
        /// Members asked for.
        members: u64,
        /// Window asked for.
        window: u64,
        /// Bytes it would take.
        needed: u64,
        /// Bytes allowed.
        budget: u64,
        /// What fits instead; 0 if nothing does.
        symbols_max: u64,
    },
}

/// Returns the plan of a request within `budget_bytes` of device memory.
///
/// # Errors
/// [`PlanError`]; over the budget it names the largest number of symbols that fits.
pub fn plan(request: Request, budget_bytes: u64) -> Result<Plan, PlanError> {
    let Request { symbols, members, window } = request;
    if !(1..=MEMBER_COUNT_MAX as u64).contains(&members) {
        return Err(PlanError::Members(members));
    }
    if !(1..=SYMBOL_COUNT_MAX).contains(&symbols) {
        return Err(PlanError::Symbols(symbols));
    }
    if !window.is_power_of_two() || !(WINDOW_RANGE.0..=WINDOW_RANGE.1).contains(&window) {
        return Err(PlanError::Window(window));
    }
    let (regions, arena_bytes) = regions(request);
    let sum = |place| regions.iter().filter(|r| r.place == place).map(|r| r.bytes).sum::<u64>();
    let device_bytes = arena_bytes + sum(Place::Driver);
    let host_bytes = sum(Place::Host);
    let symbols_max = symbols_max(members, window, budget_bytes);
    if device_bytes > budget_bytes {
        return Err(PlanError::OverBudget {
            symbols,
            members,
            window,
            needed: device_bytes,
            budget: budget_bytes,
            symbols_max,
        });
    }
    Ok(Plan { request, regions, arena_bytes, device_bytes, host_bytes, budget_bytes, symbols_max })
}

/// Returns the bytes of one member's weights with this window, alignment included. Only the biases
/// by age depend on the window.
pub fn member_bytes(window: u64) -> u64 {
    let per_age = (LAYERS * HEADS * HALF_BYTES) as u64;
    let fixed = MEMBER_VALUES_BYTES - per_age * WINDOW as u64;
    (fixed + per_age * window).next_multiple_of(REGION_ALIGN_BYTES)
}

const MEMBER_VALUES_BYTES: u64 = MEMBER_BYTES as u64;

/// Returns the bytes of one symbol's keys and values of one member.
pub fn ring_bytes(window: u64) -> u64 {
    window * (2 * LAYERS * D_MODEL * HALF_BYTES) as u64
}

/// Returns name and bytes of every tensor of a member of the compiled window, in order.
pub fn tensors() -> impl Iterator<Item = (String, u64)> {
    sections().map(|(name, section)| (name, (section.len * HALF_BYTES) as u64))
}

/// Returns the regions and the size of the arena.
fn regions(request: Request) -> (Vec<Region>, u64) {
    let Request { symbols, members, window } = request;
    let mut regions = Vec::with_capacity(8);
    let mut end = 0u64;
    for (name, bytes) in [
        ("weights", members * member_bytes(window)),
        ("key and value rings", symbols * members * ring_bytes(window)),
        ("counters", REGION_ALIGN_BYTES),
    ] {
        let bytes = bytes.next_multiple_of(REGION_ALIGN_BYTES);
        regions.push(Region { name, place: Place::Arena, offset: end, bytes });
        end += bytes;
    }
    let arena_bytes = end.next_multiple_of(ARENA_ALIGN_BYTES);
    let rest = arena_bytes - end;
    let name = "arena's rounding";
    regions.push(Region { name, place: Place::Arena, offset: end, bytes: rest });
    let other = |name, place, bytes| Region { name, place, offset: 0, bytes };
    regions.push(other("driver's allowance", Place::Driver, DRIVER_BYTES));
    let outputs = symbols * members * OUTPUTS_PADDED as u64 * size_of::<f32>() as u64;
    for (name, bytes) in [
        ("tokens in", CONTROL_BYTES + symbols * ENTRY_BYTES),
        ("forecasts out", outputs),
        ("flag", FLAG_BYTES),
    ] {
        regions.push(other(name, Place::Host, bytes.next_multiple_of(PAGE_BYTES)));
    }
    (regions, arena_bytes)
}

fn device_bytes(request: Request) -> u64 {
    regions(request).1 + DRIVER_BYTES
}

/// Returns the most symbols that fit, 0 if not even one does. Need grows with symbols, so halving
/// finds it.
fn symbols_max(members: u64, window: u64, budget_bytes: u64) -> u64 {
    let fits = |symbols| device_bytes(Request { symbols, members, window }) <= budget_bytes;
    let (mut low, mut high) = (0, SYMBOL_COUNT_MAX + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cuda::layout::MEMBER_VALUES;
    use ijk_core::infer_config::VRAM_BUDGET_BYTES as BUDGET_BYTES;
    use proptest::prelude::*;

    fn request(symbols: u64, members: u64, window: u64) -> Request {
        Request { symbols, members, window }
    }

    /// The bar: five members on five hundred symbols in 1.5 GB.
    #[test]
    fn five_members_on_five_hundred_symbols_fit_into_a_gigabyte_and_a_half() {
        let plan = plan(request(500, 5, 64), 1_500_000_000).unwrap();
        assert!(plan.device_bytes <= 1_500_000_000, "{}", plan.device_bytes);
        // 2 (key, value) x 6 layers x 64 slots x 64 values x 2 bytes.
        assert_eq!(ring_bytes(64), 98_304);
        let rings = plan.regions.iter().find(|r| r.name == "key and value rings").unwrap();
        assert_eq!(rings.bytes, 500 * 5 * 98_304);
        let weights = plan.regions.iter().find(|r| r.name == "weights").unwrap();
        assert_eq!(weights.bytes, 5 * MEMBER_BYTES as u64);
    }

    #[test]
    fn a_member_is_the_sum_of_its_tensors() {
        let sum: u64 = tensors().map(|(_, bytes)| bytes).sum();
        assert_eq!(sum.next_multiple_of(REGION_ALIGN_BYTES), member_bytes(WINDOW as u64));
        assert_eq!(member_bytes(WINDOW as u64), (MEMBER_VALUES * HALF_BYTES) as u64);
    }

    #[test]
    fn what_cannot_be_is_named() {
        let budget = BUDGET_BYTES;
        assert_eq!(plan(request(1, 0, 64), budget), Err(PlanError::Members(0)));
        assert_eq!(plan(request(1, 6, 64), budget), Err(PlanError::Members(6)));
        assert_eq!(plan(request(0, 1, 64), budget), Err(PlanError::Symbols(0)));
        let many = SYMBOL_COUNT_MAX + 1;
        assert_eq!(plan(request(many, 1, 64), budget), Err(PlanError::Symbols(many)));
        for window in [0, 1, 16, 63, 65, 8192, u64::MAX] {
            assert_eq!(plan(request(1, 1, window), budget), Err(PlanError::Window(window)));
        }
        let nothing = plan(request(1, 1, 64), DRIVER_BYTES).unwrap_err();
        assert!(matches!(nothing, PlanError::OverBudget { symbols_max: 0, .. }), "{nothing}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        /// What fits is within the budget and one symbol more than the most is not; regions of
        /// the arena follow one another without hole or overlap.
        #[test]
        fn plans_keep_their_budget(
            symbols in 1u64..5_000, members in 1u64..=5, shift in 5u32..=12,
            budget in DRIVER_BYTES..8 * BUDGET_BYTES,
        ) {
            let window = 1 << shift;
            match plan(request(symbols, members, window), budget) {
                Ok(plan) => {
                    let on = |p: Place| {
                        let regions = plan.regions.iter().filter(move |r| r.place == p);
                        regions.map(|r| r.bytes).sum::<u64>()
                    };
                    prop_assert_eq!(on(Place::Arena), plan.arena_bytes);
                    prop_assert_eq!(on(Place::Arena) + on(Place::Driver), plan.device_bytes);
                    prop_assert_eq!(on(Place::Host), plan.host_bytes);
                    prop_assert!(plan.device_bytes <= budget);
                    prop_assert!(plan.symbols_max >= symbols);
                    let mut end = 0;
                    for region in plan.regions.iter().filter(|r| r.place == Place::Arena) {
                        prop_assert_eq!(region.offset, end);
                        prop_assert_eq!(region.offset % REGION_ALIGN_BYTES, 0);
                        end += region.bytes;
                    }
                    prop_assert_eq!(end, plan.arena_bytes);
                }
                Err(PlanError::OverBudget { needed, symbols_max, .. }) => {
                    prop_assert!(needed > budget);
                    prop_assert!(symbols_max < symbols);
                    if symbols_max > 0 {
                        prop_assert!(plan(request(symbols_max, members, window), budget).is_ok());
                    }
                    let more = request(symbols_max + 1, members, window);
                    prop_assert!(plan(more, budget).is_err());
                }
                Err(other) => prop_assert!(false, "{other}"),
            }
        }

        /// More of anything never takes less.
        #[test]
        fn need_grows_with_every_number(
            symbols in 1u64..100_000, members in 1u64..5, shift in 5u32..12,
        ) {
            let need = |s, m, w| device_bytes(request(s, m, w));
            let base = need(symbols, members, 1 << shift);
            prop_assert!(need(symbols + 1, members, 1 << shift) >= base);
            prop_assert!(need(symbols, members + 1, 1 << shift) >= base);
            prop_assert!(need(symbols, members, 2 << shift) >= base);
        }
    }
}
