//! Parent orders, Almgren-Chriss schedules, child slicing and the order state machine.
