//! Calibration of impact, volume and volatility from fills and ticks.
