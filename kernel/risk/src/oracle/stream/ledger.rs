//! The whole ledgers of gate and oracle, side by side.

use super::Pair;
use ijk_core::InstrumentId;

impl Pair {
    /// The whole ledger, exactly.
    pub(super) fn compare(&mut self) -> Result<(), String> {
        let (gate, oracle) = (&self.gate, &self.oracle);
        let reserved: i128 = gate.accounts.iter().map(|a| a.reserved).sum();
        let got = (gate.state, gate.blocks, gate.profit, gate.peak, gate.spent, reserved);
        let want = (
            oracle.state,
            oracle.blocks,
            oracle.profit(),
            oracle.best,
            oracle.spent(),
            oracle.reserved(),
        );
        if got != want {
            return Err(format!(
                "state, blocks, profit, peak, spent, reserved: gate {got:?}, oracle {want:?}"
            ));
        }
        let runs = (gate.losers_run, gate.rejects_run, gate.mismatches, gate.working.len());
        let counted =
            (oracle.losers(), oracle.rejects(), oracle.mismatches, oracle.working().len());
        if runs != counted {
            return Err(format!(
                "losers, rejects, mismatches, orders: gate {runs:?}, oracle {counted:?}"
            ));
        }
        for (index, a) in gate.accounts.iter().enumerate() {
            let id = InstrumentId(index as u16);
            let (long, short) = gate.worst_case_position(id);
            let set = oracle.market(index).blocks.iter().fold(0, |set, b| set | b.bit());
            let got = (
                i128::from(a.position),
                (i128::from(long), i128::from(short)),
                a.watch.blocks,
                (a.slippage_latched, a.entry_latched),
            );
            let latched = (oracle.slippage_latched[index], oracle.entry_latched[index]);
            let want = (oracle.position(index), oracle.worst(index), set, latched);
            if got != want {
                return Err(format!(
                    "instrument {index}: position, worst, blocks, latches: gate {got:?}, oracle \
                     {want:?}"
                ));
            }
        }
        if gate.working_orders().any(|o| o.3.0 <= 0) {
            return Err("a working order without quantity".into());
        }
        Ok(())
    }
}
