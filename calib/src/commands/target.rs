//! Where results go: a calibration as a profile with table and page of the same name beside it, a
//! study as table and page alone.

use super::Exit;
use ijk_calib::profile::Profile;
use ijk_calib::report::Page;
use ijk_calib::table::Table;
use ijk_data::whole;
use std::path::{Path, PathBuf};

/// Output of a calibration
#[derive(clap::Args)]
pub struct Target {
    /// Profile to write (TOML); table and page get the same name with .parquet and .html
    #[arg(long, value_name = "PROFILE.toml")]
    pub out: PathBuf,
    /// Profile to start from: its other sections are kept
    #[arg(long, value_name = "PROFILE.toml")]
    pub base: Option<PathBuf>,
    /// Days after the end of its data for which the profile may be used
    #[arg(long, default_value_t = 30)]
    pub valid_days: u32,
    /// Replaces existing files
    #[arg(long)]
    pub force: bool,
}

impl Target {
    /// Refuses early what could not be written later.
    pub fn check(&self) -> Result<(), Exit> {
        if self.out.extension().is_none_or(|e| e != "toml") {
            let shown = self.out.display();
            return Err(Exit::new(2, format!("{shown}: --out names the TOML profile")));
        }
        whole::check(&self.out, self.force)?;
        check_report(&self.out.with_extension("html"), self.force)
    }

    /// Returns the profile to put a section into.
    pub fn profile(&self) -> Result<Profile, Exit> {
        let mut profile = match &self.base {
            Some(path) => Profile::load(path)?,
            None => Profile::new(String::new(), self.valid_days),
        };
        profile.created = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        profile.valid_days = self.valid_days;
        Ok(profile)
    }

    /// Writes profile, table and page; the profile last, so that it never stands alone. Returns
    /// what to say of it.
    pub fn write(&self, profile: &mut Profile, table: &Table, page: Page) -> Result<String, Exit> {
        profile.settings = ijk_calib::settings::of(profile);
        let sealed = profile.seal().map_err(|e| Exit::new(70, e))?;
        let beside = write_report(&self.out.with_extension("html"), table, page, self.force)?;
        whole::write_whole(&self.out, sealed.as_bytes(), self.force)?;
        Ok(format!("wrote {}, {beside}\n", self.out.display()))
    }
}

/// Output of a study
#[derive(clap::Args)]
pub struct ReportTarget {
    /// Page with plots to write (HTML); the table gets the same name with .parquet
    #[arg(long, value_name = "REPORT.html")]
    out: Option<PathBuf>,
    /// Replaces existing files
    #[arg(long, requires = "out")]
    force: bool,
}

impl ReportTarget {
    /// Refuses early what could not be written later.
    pub fn check(&self) -> Result<(), Exit> {
        let Some(out) = &self.out else { return Ok(()) };
        if out.extension().is_none_or(|e| e != "html") {
            return Err(Exit::new(2, format!("{}: --out names the HTML page", out.display())));
        }
        check_report(out, self.force)
    }

    /// Writes table and page where one was named; returns what to say of it.
    pub fn write(&self, table: &Table, page: Page) -> Result<String, Exit> {
        let Some(out) = &self.out else { return Ok(String::new()) };
        Ok(format!("wrote {}\n", write_report(out, table, page, self.force)?))
    }
}

/// Refuses early a page, or the table beside it, that could not be written later.
pub fn check_report(page: &Path, force: bool) -> Result<(), Exit> {
    whole::check(&page.with_extension("parquet"), force)?;
    Ok(whole::check(page, force)?)
}

/// Writes the page and the table beside it; returns their names.
pub fn write_report(out: &Path, table: &Table, page: Page, force: bool) -> Result<String, Exit> {
    let encoded = table.encode().map_err(|e| Exit::new(70, e))?;
    let beside = out.with_extension("parquet");
    whole::write_whole(&beside, &encoded, force)?;
    whole::write_whole(out, page.finish().as_bytes(), force)?;
    Ok(format!("{}, {}", beside.display(), out.display()))
}
