//! Ids, fixed-point numbers, times, events, records, limits and settings that every crate of
//! ijk shares. Nothing here reads a clock, a file or a socket.

#![forbid(unsafe_code)]

pub mod alarm;
pub mod calendar;
pub mod condition;
pub mod config;
pub mod event;
pub mod features;
pub mod feed;
pub mod forecast;
pub mod heartbeat;
pub mod ibkr;
pub mod ids;
pub mod infer_config;
pub mod instrument;
pub mod limits;
pub mod num;
pub mod order;
pub mod record;
pub mod risk_config;
pub mod session;
pub mod slot;
pub mod time;

pub use alarm::AlarmCode;
pub use condition::{Condition, ConditionKind, DeviceLeft};
pub use config::Config;
pub use event::{EventKind, MarketEvent, RowFlags};
pub use feed::{DepthKind, EventSource, FeedError, FeedErrorKind, RepairCounts};
pub use forecast::{EnsembleForecast, HorizonForecast};
pub use heartbeat::Heartbeat;
pub use ids::{ClientOrderId, ExecId, InstrumentId, ParentId, VenueOrderId};
pub use instrument::{Currency, Instrument, Session, Symbol};
pub use num::{Px, Qty, Side};
pub use order::{CancelOrder, NewOrder, OrderType, ReportKind, TimeInForce, VenueReport};
pub use session::{
    AlarmRecord, Block, CarryItem, CarryKind, Fate, FateRecord, LinkEvent, LinkKind, SnapshotItem,
    SnapshotKind, SnapshotRequest, VenueOrderStatus,
};
pub use slot::{SlotShape, SlotUpdate};
pub use time::{ExchTs, RecvTs};
