//! Every raw call of the driver and of the run-time compiler, and nothing else.
//!
//! Each type owns what it was given by the driver and gives it back when it is dropped. The
//! libraries are loaded by the first call, which panics where they are not there: everything here
//! is reached through [`guarded`], which makes an answer of that.
#![allow(unsafe_code)] // calls into the driver

use super::device::DeviceError;
use cudarc::driver::result::{self, DriverError, stream::StreamKind};
use cudarc::driver::sys;
use cudarc::nvrtc;
use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

type Result<T> = std::result::Result<T, DeviceError>;

/// Pinned memory that the device reads and writes by its own address, whatever the context.
const PINNED: u32 = sys::CU_MEMHOSTALLOC_DEVICEMAP | sys::CU_MEMHOSTALLOC_PORTABLE;

fn called(call: &'static str) -> impl Fn(DriverError) -> DeviceError {
    move |error| DeviceError::Driver { call, said: format!("{error:?}") }
}

/// Runs what may load a library; one that cannot be loaded, or lacks a call, is no device.
pub fn guarded<R>(what: &str, call: impl FnOnce() -> Result<R>) -> Result<R> {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| {}));
    let answer = catch_unwind(AssertUnwindSafe(call));
    std::panic::set_hook(hook);
    answer.unwrap_or_else(|_| Err(DeviceError::None(format!("{what} cannot be loaded"))))
}

/// The first device's primary context.
#[derive(Debug)]
pub struct Context {
    device: sys::CUdevice,
    context: sys::CUcontext,
}

// SAFETY: a context may be made current on any thread; `enter` does so before every use.
unsafe impl Send for Context {}

impl Context {
    /// Opens the first device.
    pub fn open() -> Result<Context> {
        let none = |e: DriverError| DeviceError::None(format!("{e:?}"));
        result::init().map_err(none)?;
        if result::device::get_count().map_err(none)? < 1 {
            return Err(DeviceError::None("the driver knows of none".into()));
        }
        let device = result::device::get(0).map_err(none)?;
        // SAFETY: the driver is initialised and gave this device.
        let context = unsafe { result::primary_ctx::retain(device) };
        let context =
            Context { device, context: context.map_err(called("cuDevicePrimaryCtxRetain"))? };
        context.enter()?;
        Ok(context)
    }

    /// Makes the context that of this thread.
    pub fn enter(&self) -> Result<()> {
        // SAFETY: the context is retained as long as `self` lives.
        unsafe { result::ctx::set_current(self.context) }.map_err(called("cuCtxSetCurrent"))
    }

    /// Returns the device's name.
    pub fn name(&self) -> Result<String> {
        result::device::get_name(self.device).map_err(called("cuDeviceGetName"))
    }

    fn attribute(&self, which: sys::CUdevice_attribute) -> Result<u32> {
        // SAFETY: the driver gave this device.
        let value = unsafe { result::device::get_attribute(self.device, which) };
        Ok(value.map_err(called("cuDeviceGetAttribute"))?.max(0) as u32)
    }

    /// Returns the architecture: 86 for compute capability 8.6.
    pub fn architecture(&self) -> Result<u32> {
        use sys::CUdevice_attribute as A;
        let major = self.attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?;
        Ok(10 * major + self.attribute(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?)
    }

    /// Returns the multiprocessors.
    pub fn multiprocessors(&self) -> Result<u32> {
        self.attribute(sys::CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)
    }

    /// Waits until everything asked for so far is done, copies under way included.
    pub fn settle(&self) -> Result<()> {
        result::ctx::synchronize().map_err(called("cuCtxSynchronize"))
    }

    /// Returns free and total memory, bytes.
    pub fn memory(&self) -> Result<(u64, u64)> {
        let (free, total) = result::mem_get_info().map_err(called("cuMemGetInfo"))?;
        Ok((free as u64, total as u64))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: retained once in `open`; what was made in it is dropped before it (field order).
        let _ = unsafe { result::primary_ctx::release(self.device) };
    }
}

/// The one arena, zeroed.
#[derive(Debug)]
pub struct Arena {
    at: sys::CUdeviceptr,
    bytes: usize,
}

impl Arena {
    /// Takes it from the current context.
    pub fn take(bytes: usize) -> Result<Arena> {
        // SAFETY: nothing reads the memory before it is zeroed below.
        let at = unsafe { result::malloc_sync(bytes) }.map_err(called("cuMemAlloc"))?;
        let arena = Arena { at, bytes };
        // SAFETY: the arena has so many bytes.
        unsafe { result::memset_d8_sync(at, 0, bytes) }.map_err(called("cuMemsetD8"))?;
        Ok(arena)
    }

    /// Copies `values` to `offset`.
    pub fn write(&mut self, offset: usize, values: &[u16]) -> Result<()> {
        let end = offset + size_of_val(values);
        assert!(end <= self.bytes, "Invariant: regions lie in the arena");
        // SAFETY: the range lies in the arena; the call returns when it has read the values.
        let copied = unsafe { result::memcpy_htod_sync(self.at + offset as u64, values) };
        copied.map_err(called("cuMemcpyHtoD"))
    }

    /// Returns the device's address of `offset`.
    pub fn address(&self, offset: usize) -> u64 {
        assert!(offset < self.bytes, "Invariant: regions lie in the arena");
        self.at + offset as u64
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        // SAFETY: taken once in `take`, in a context that is alive.
        let _ = unsafe { result::free_sync(self.at) };
    }
}

/// Pinned memory of the host that the device sees.
#[derive(Debug)]
pub struct Pinned {
    host: *mut c_void,
    device: sys::CUdeviceptr,
    bytes: usize,
}

// SAFETY: the memory is owned and reached through `&self` and `&mut self` only.
unsafe impl Send for Pinned {}

impl Pinned {
    /// Takes `bytes`, zeroed.
    pub fn take(bytes: usize) -> Result<Pinned> {
        // SAFETY: zeroed below before anything reads it.
        let host = unsafe { result::malloc_host(bytes, PINNED) };
        let host = host.map_err(called("cuMemHostAlloc"))?;
        let mut pinned = Pinned { host, device: 0, bytes };
        // SAFETY: the driver gave so many bytes, which nothing else knows of yet.
        unsafe { host.cast::<u8>().write_bytes(0, bytes) };
        // SAFETY: mapped memory of the driver; the address is written to a local.
        unsafe { sys::cuMemHostGetDevicePointer_v2(&mut pinned.device, host, 0) }
            .result()
            .map_err(called("cuMemHostGetDevicePointer"))?;
        Ok(pinned)
    }

    /// Returns the device's address of `offset`.
    pub fn address(&self, offset: usize) -> u64 {
        assert!(offset < self.bytes, "Invariant: inside the memory");
        self.device + offset as u64
    }

    /// Writes words at `offset`, a multiple of four.
    pub fn write(&mut self, offset: usize, words: &[u32]) {
        let fits = offset.is_multiple_of(4) && offset + size_of_val(words) <= self.bytes;
        assert!(fits, "Invariant: inside the memory");
        for (i, word) in words.iter().enumerate() {
            // SAFETY: inside the memory and aligned, which pages are; the device may read it at
            // the same time, hence volatile.
            unsafe { self.host.cast::<u32>().add(offset / 4 + i).write_volatile(*word) };
        }
    }

    /// Reads a word at `offset`, a multiple of four.
    pub fn word(&self, offset: usize) -> u32 {
        let fits = offset.is_multiple_of(4) && offset + 4 <= self.bytes;
        assert!(fits, "Invariant: inside the memory");
        // SAFETY: inside the memory and aligned; the device may write it at the same time.
        unsafe { self.host.cast::<u32>().add(offset / 4).read_volatile() }
    }

    /// Copies floats from the start of the memory.
    pub fn read(&self, floats: &mut [f32]) {
        assert!(size_of_val(floats) <= self.bytes, "Invariant: inside the memory");
        for (i, float) in floats.iter_mut().enumerate() {
            // SAFETY: inside the memory, aligned, and any bits are a float.
            *float = unsafe { self.host.cast::<f32>().add(i).read_volatile() };
        }
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        // SAFETY: taken once in `take`, in a context that is alive.
        let _ = unsafe { result::free_host(self.host) };
    }
}

/// Arguments of the step, byte for byte `Step` of step.cu.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct StepArguments {
    pub weights: u64,
    pub rings: u64,
    pub control: u64,
    pub entries: u64,
    pub outputs: u64,
    pub counter: u64,
    pub flag: u64,
    pub members: u32,
    pub reserved: u32,
}

/// A stream.
#[derive(Debug)]
pub struct Stream(sys::CUstream);

// SAFETY: streams may be used from any thread that has entered their context.
unsafe impl Send for Stream {}

impl Stream {
    /// Makes one that waits for no other.
    pub fn new() -> Result<Stream> {
        let stream = result::stream::create(StreamKind::NonBlocking);
        Ok(Stream(stream.map_err(called("cuStreamCreate"))?))
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // SAFETY: made once in `new`, in a context that is alive.
        let _ = unsafe { result::stream::destroy(self.0) };
    }
}

/// A compiled kernel in the context.
#[derive(Debug)]
pub struct Module {
    module: sys::CUmodule,
    function: sys::CUfunction,
}

// SAFETY: modules belong to their context, not to a thread.
unsafe impl Send for Module {}

impl Module {
    /// Loads PTX and finds `entry` in it.
    pub fn load(ptx: &str, entry: &str) -> Result<Module> {
        let zeros = |_| DeviceError::Compile("a zero byte in the text".into());
        let (ptx, entry) = (CString::new(ptx).map_err(zeros)?, CString::new(entry).map_err(zeros)?);
        // SAFETY: the image is text with a zero at its end and outlives the call.
        let module = unsafe { result::module::load_data(ptx.as_ptr().cast()) };
        let module = module.map_err(called("cuModuleLoadData"))?;
        // SAFETY: the module was just loaded.
        let function = unsafe { result::module::get_function(module, entry) };
        let function = function.map_err(called("cuModuleGetFunction"))?;
        Ok(Module { module, function })
    }

    /// Captures one launch of `tiles` x `members` blocks as a graph.
    pub fn capture(
        &self,
        stream: &Stream,
        (tiles, members, threads): (u32, u32, u32),
        mut arguments: StepArguments,
    ) -> Result<Graph> {
        let mode = sys::CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL;
        let mut list = [(&raw mut arguments).cast::<c_void>()];
        let (grid, block) = ((tiles, members, 1), (threads, 1, 1));
        // SAFETY: the stream is alive; the function takes one `Step`, which the launch copies
        // before it returns. Graph and stream belong to the same context.
        unsafe {
            result::stream::begin_capture(stream.0, mode)
                .map_err(called("cuStreamBeginCapture"))?;
            let launched =
                result::launch_kernel(self.function, grid, block, 0, stream.0, &mut list);
            // The capture is ended in any case.
            let graph = result::stream::end_capture(stream.0);
            launched.map_err(called("cuLaunchKernel"))?;
            let graph = graph.map_err(called("cuStreamEndCapture"))?;
            let flags = sys::CUgraphInstantiate_flags(0);
            let ready = result::graph::instantiate(graph, flags);
            let _ = result::graph::destroy(graph);
            let ready = Graph(ready.map_err(called("cuGraphInstantiate"))?);
            result::graph::upload(ready.0, stream.0).map_err(called("cuGraphUpload"))?;
            Ok(ready)
        }
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        // SAFETY: loaded once in `load`, in a context that is alive.
        let _ = unsafe { result::module::unload(self.module) };
    }
}

/// A captured step.
#[derive(Debug)]
pub struct Graph(sys::CUgraphExec);

// SAFETY: graphs belong to their context, not to a thread; `launch` takes `&mut self`.
unsafe impl Send for Graph {}

impl Graph {
    /// Starts the step; returns at once.
    pub fn launch(&mut self, stream: &Stream) -> Result<()> {
        // SAFETY: graph and stream are alive and of the current context; the arguments it
        // captured point to memory that the engine keeps as long as the graph.
        unsafe { result::graph::launch(self.0, stream.0) }.map_err(called("cuGraphLaunch"))
    }
}

impl Drop for Graph {
    fn drop(&mut self) {
        // SAFETY: instantiated once, in a context that is alive.
        let _ = unsafe { result::graph::exec_destroy(self.0) };
    }
}

/// Returns version and supported architectures of the run-time compiler.
pub fn compiler() -> Result<((i32, i32), Vec<u32>)> {
    let failed = |e| DeviceError::Compile(format!("{e:?}"));
    let (mut major, mut minor, mut count) = (0, 0, 0);
    // SAFETY: the calls write to these locals.
    unsafe {
        nvrtc::sys::nvrtcVersion(&mut major, &mut minor).result().map_err(failed)?;
        nvrtc::sys::nvrtcGetNumSupportedArchs(&mut count).result().map_err(failed)?;
    }
    let mut architectures = vec![0i32; count.max(0) as usize];
    // SAFETY: the list has room for as many as the compiler named.
    unsafe { nvrtc::sys::nvrtcGetSupportedArchs(architectures.as_mut_ptr()) }
        .result()
        .map_err(failed)?;
    Ok(((major, minor), architectures.into_iter().map(|a| a as u32).collect()))
}

/// Compiles a text to PTX.
pub fn compile(text: &str, options: &[String]) -> Result<String> {
    let failed = |e| DeviceError::Compile(format!("{e:?}"));
    let text = CString::new(text).map_err(|_| DeviceError::Compile("a zero byte".into()))?;
    let program = nvrtc::result::create_program(&text, Some(c"step.cu")).map_err(failed)?;
    let of = |chars: Vec<std::ffi::c_char>| {
        let bytes: Vec<u8> = chars.into_iter().map(|c| c as u8).take_while(|&c| c != 0).collect();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    // SAFETY: the program was just made and is destroyed once, after the last use; the text
    // outlives it.
    unsafe {
        let compiled = nvrtc::result::compile_program(program, options);
        let answer = match compiled {
            Ok(()) => nvrtc::result::get_ptx(program).map(of).map_err(failed),
            Err(e) => {
                let log = nvrtc::result::get_program_log(program).map(of).unwrap_or_default();
                Err(DeviceError::Compile(format!("{e:?}: {log}")))
            }
        };
        let _ = nvrtc::result::destroy_program(program);
        answer
    }
}
