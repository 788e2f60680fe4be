//! The encoder on the first CUDA device: everything taken at start by the plan, one captured
//! launch a step, tokens and forecasts through pinned memory, the end told by a flag there.

use super::compile;
use super::device::{DeviceError, TokenStep};
use super::layout;
use super::plan::{self, CONTROL_BYTES, ENTRY_BYTES, Plan, Request};
use super::raw::{self, Arena, Context, Graph, Module, Pinned, StepArguments, Stream};
use super::source::{self, THREADS, TILES};
use super::wire::{Entry, ROW};
use crate::shape::WINDOW;
use crate::weights::Weights;
use std::path::Path;

/// Bytes of the driver's own that a start may take beside the arena.
const SLACK_BYTES: u64 = 64 << 20;

/// What the driver reports beside the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Name of the device.
    pub device: String,
    /// Compute capability: 86 for 8.6.
    pub architecture: u32,
    /// Memory of the device, bytes.
    pub total_bytes: u64,
    /// Taken when the context stood and before anything else was taken, by others and by the
    /// context, bytes.
    pub before_bytes: u64,
    /// Taken since: arena, module, graphs, bytes.
    pub taken_bytes: u64,
}

/// Asks for a device and the kernel compiler without taking anything that lasts. Returns the
/// device's name and compute capability.
///
/// # Errors
/// [`DeviceError::None`] says what is missing.
pub fn probe() -> Result<(String, u32), DeviceError> {
    let found = raw::guarded("the CUDA driver (libcuda)", || {
        let context = Context::open()?;
        Ok((context.name()?, context.architecture()?))
    })?;
    raw::guarded("the kernel compiler (libnvrtc)", raw::compiler)?;
    Ok(found)
}

/// A model on a device. Fields are dropped in their order, the context last.
#[derive(Debug)]
pub struct Engine {
    /// By tile, then by size of the grid, each twice the last.
    graphs: Vec<Launch>,
    // Held for the graphs, whose launches run the code and read the memory.
    _modules: Vec<Module>,
    stream: Stream,
    tokens_in: Pinned,
    outputs: Pinned,
    flag: Pinned,
    _arena: Arena,
    context: Context,
    plan: Plan,
    measured: Measured,
    /// Tokens up to which small tiles are used.
    small_max: usize,
    sequence: u32,
}

/// A captured step for up to `tokens` tokens.
#[derive(Debug)]
struct Launch {
    tile: usize,
    tokens: usize,
    graph: Graph,
}

impl Engine {
    /// Puts a model and empty rings of `symbols` symbols on the device.
    ///
    /// # Errors
    /// [`DeviceError`]; nothing stays taken.
    pub fn open(
        weights: &Weights,
        symbols: usize,
        vram_budget_bytes: u64,
        cache: Option<&Path>,
    ) -> Result<Engine, DeviceError> {
        layout::check(weights)?;
        let members = weights.members().len();
        let request =
            Request { symbols: symbols as u64, members: members as u64, window: WINDOW as u64 };
        let plan = plan::plan(request, vram_budget_bytes)?;
        raw::guarded("the CUDA driver (libcuda)", || {
            let context = Context::open()?;
            Engine::start(context, weights, plan, cache)
        })
    }

    fn start(
        context: Context,
        weights: &Weights,
        plan: Plan,
        cache: Option<&Path>,
    ) -> Result<Engine, DeviceError> {
        let (free, total) = context.memory()?;
        if plan.arena_bytes + SLACK_BYTES > free {
            return Err(DeviceError::Memory { needed: plan.arena_bytes, free });
        }
        let architecture = context.architecture()?;
        let offset = |name| region_of(&plan, name).map(|r| r.offset as usize);
        let size = |name| region_of(&plan, name).map(|r| r.bytes as usize);
        let mut arena = Arena::take(plan.arena_bytes as usize)?;
        arena.write(offset("weights")?, &layout::pack(weights))?;
        let tokens_in = Pinned::take(size("tokens in")?)?;
        let outputs = Pinned::take(size("forecasts out")?)?;
        let flag = Pinned::take(size("flag")?)?;
        let arguments = StepArguments {
            weights: arena.address(offset("weights")?),
            rings: arena.address(offset("key and value rings")?),
            control: tokens_in.address(0),
            entries: tokens_in.address(CONTROL_BYTES as usize),
            outputs: outputs.address(0),
            counter: arena.address(offset("counters")?),
            flag: flag.address(0),
            members: plan.request.members as u32,
            reserved: 0,
        };
        let stream = Stream::new()?;
        let (mut modules, mut graphs) = (Vec::new(), Vec::new());
        let symbols = plan.request.symbols as usize;
        let small_max = small_max(context.multiprocessors()? as usize, weights.members().len());
        for tile in TILES {
            let ptx = compile::ptx(tile, architecture, cache)?;
            let module = Module::load(&ptx, &source::entry(tile))?;
            let most = if tile == TILES[0] { small_max.min(symbols) } else { symbols };
            for tiles in grids(most.div_ceil(tile)) {
                let grid = (tiles as u32, arguments.members, THREADS as u32);
                let graph = module.capture(&stream, grid, arguments)?;
                graphs.push(Launch { tile, tokens: tiles * tile, graph });
            }
            modules.push(module);
        }
        // No step may start before zeros and weights have arrived: its stream waits for no other.
        context.settle()?;
        let (free_now, _) = context.memory()?;
        let measured = Measured {
            device: context.name()?,
            architecture,
            total_bytes: total,
            before_bytes: total - free,
            taken_bytes: free.saturating_sub(free_now),
        };
        Ok(Engine {
            graphs,
            _modules: modules,
            stream,
            tokens_in,
            outputs,
            flag,
            _arena: arena,
            context,
            plan,
            measured,
            small_max,
            sequence: 0,
        })
    }

    /// Returns the plan it was made by.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Returns what the driver reported.
    pub fn measured(&self) -> &Measured {
        &self.measured
    }
}

fn region_of<'a>(plan: &'a Plan, name: &str) -> Result<&'a plan::Region, DeviceError> {
    let found = plan.regions.iter().find(|r| r.name == name);
    found.ok_or_else(|| DeviceError::Batch(format!("the plan has no region `{name}`")))
}

/// Returns the tokens up to which a block a token and member leaves no multiprocessor with two.
fn small_max(multiprocessors: usize, members: usize) -> usize {
    (multiprocessors / members.max(1)).max(1)
}

/// Sizes of grids: 1, 2, 4, ... and the largest needed.
fn grids(most: usize) -> impl Iterator<Item = usize> {
    let doubled = std::iter::successors(Some(1), |&n: &usize| n.checked_mul(2));
    doubled.take_while(move |&n| n < most).chain([most])
}

impl TokenStep for Engine {
    fn step(
        &mut self,
        entries: &[Entry],
        rows: &mut [f32],
        gives_up: &mut dyn FnMut() -> bool,
    ) -> Result<(), DeviceError> {
        let members = self.plan.request.members as usize;
        let symbols = self.plan.request.symbols as usize;
        let unplanned = entries.iter().any(|e| e.symbol as usize >= symbols);
        if unplanned || entries.len() > symbols || rows.len() != entries.len() * members * ROW {
            return Err(DeviceError::Batch("the batch is not one of the plan's".into()));
        }
        if entries.is_empty() {
            return Ok(());
        }
        self.context.enter()?;
        for (i, entry) in entries.iter().enumerate() {
            let bytes = entry.to_bytes();
            let (words, _) = bytes.as_chunks::<4>();
            let mut at = CONTROL_BYTES as usize + i * ENTRY_BYTES as usize;
            for word in words {
                self.tokens_in.write(at, &[u32::from_le_bytes(*word)]);
                at += 4;
            }
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.tokens_in.write(0, &[entries.len() as u32, self.sequence]);
        let tile = if entries.len() <= self.small_max { TILES[0] } else { TILES[1] };
        let fitting = |g: &&mut Launch| g.tile == tile && g.tokens >= entries.len();
        let launch = self.graphs.iter_mut().find(fitting);
        let launch = launch.ok_or_else(|| DeviceError::Batch("no graph is large enough".into()))?;
        launch.graph.launch(&self.stream)?;
        while self.flag.word(0) != self.sequence {
            if gives_up() {
                return Err(DeviceError::Deadline);
            }
            std::hint::spin_loop();
        }
        // The flag was written after the rows; nothing below may be read before it.
        std::sync::atomic::fence(std::sync::atomic::Ordering::Acquire);
        self.outputs.read(rows);
        Ok(())
    }

    /// A step may still be running: giving memory back would wait for it, so nothing is given
    /// back before the process ends.
    fn abandon(self) {
        std::mem::forget(self);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grids_double_up_to_the_largest() {
        let of = |most| grids(most).collect::<Vec<_>>();
        assert_eq!(of(1), [1]);
        assert_eq!(of(2), [1, 2]);
        assert_eq!(of(63), [1, 2, 4, 8, 16, 32, 63]);
        assert_eq!(small_max(132, 5), 26);
        assert_eq!(small_max(4, 5), 1);
    }

    /// Without a driver the answer is a sentence, never a panic; with one the plan is kept.
    #[test]
    fn a_machine_without_a_device_says_so() {
        use crate::weights::{WeightsBuilder, WeightsSpec, tensor_specs};
        let mut builder = WeightsBuilder::new(WeightsSpec::new(1));
        for spec in tensor_specs(1) {
            builder = builder.tensor(&spec.name, spec.shape, &vec![0.0; spec.value_count()]);
        }
        let weights = builder.finish().unwrap();
        match probe() {
            Err(DeviceError::None(said)) => {
                eprintln!("no device: {said}");
                let refused = Engine::open(&weights, 1, 6 << 30, None).unwrap_err();
                assert!(matches!(refused, DeviceError::None(_)), "{refused}");
            }
            Err(other) => panic!("{other}"),
            Ok(_) => {
                let engine = Engine::open(&weights, 1, 6 << 30, None).unwrap();
                let (plan, measured) = (engine.plan(), engine.measured());
                assert!(measured.taken_bytes <= plan.arena_bytes + plan::DRIVER_BYTES);
            }
        }
        let over = Engine::open(&weights, 1, 1, None).unwrap_err();
        assert!(matches!(over, DeviceError::Plan(_)), "the plan comes first: {over}");
    }
}
