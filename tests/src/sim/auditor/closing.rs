//! The last look: the broker's books against what the kernel knows, when all is calm.

use super::{Auditor, Closing, Rule, Violation};

impl Auditor {
    /// Compares the broker's books with the journal and with what the kernel says of itself;
    /// returns everything found in the run.
    pub fn close(mut self, at: u64, closing: &Closing) -> Vec<Violation> {
        self.at = at;
        if closing.kernel_refuses {
            return self.violations; // it says that it knows nothing: nothing else can be asked
        }
        for o in &closing.orders {
            if o.id != 0 && !self.journaled_orders.contains(&o.id) {
                self.breach(Rule::Unaccounted, format!("order {:#x}", o.id));
            }
            if o.id != 0 && o.working {
                self.breach(Rule::LeftWorking, format!("order {:#x}", o.id));
            }
        }
        for e in &closing.executions {
            if !self.journaled_executions.contains(&e.exec_id) {
                self.breach(Rule::ExecutionLost, format!("execution {}", e.exec_id));
            }
        }
        if closing.positions != closing.kernel_positions {
            let text = format!(
                "the broker has {:?}, the kernel {:?}",
                closing.positions, closing.kernel_positions
            );
            self.breach(Rule::PositionWrong, text);
        }
        if closing.kernel_unknown > 0 || closing.kernel_working > 0 {
            let text = format!(
                "{} unknown, {} working orders",
                closing.kernel_unknown, closing.kernel_working
            );
            self.breach(Rule::NotConverged, text);
        }
        if closing.kernel_blocks != 0 && !closing.kernel_halted {
            let text = format!("blocks {:#010b} and no halt", closing.kernel_blocks);
            self.breach(Rule::NotConverged, text);
        }
        self.violations
    }
}
