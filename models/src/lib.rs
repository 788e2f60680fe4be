//! The encoder in Burn: training, evaluation and export to the weights file.
