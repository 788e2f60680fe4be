//! The proof that an order passed the gate.

/// A value the gate let pass. Nothing outside this crate can make one:
///
/// ```compile_fail
/// let forged = ijk_risk::Approved(1u8);
/// ```
///
/// ```compile_fail
/// let forged = ijk_risk::Approved::new(1u8);
/// ```
///
/// Nor can one approval be spent twice:
///
/// ```compile_fail
/// fn twice<T>(a: ijk_risk::Approved<T>) -> (T, T) {
///     let copy = a.clone();
///     (a.into_inner(), copy.into_inner())
/// }
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "an approved order has reserved exposure: send it, or report it as rejected"]
pub struct Approved<T>(T);

impl<T> Approved<T> {
    pub(crate) const fn new(value: T) -> Approved<T> {
        Approved(value)
    }

    /// Returns the value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// Returns the value and spends the approval.
    pub fn into_inner(self) -> T {
        self.0
    }
}
