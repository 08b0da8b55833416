//! The command `regions`: the regions and their hosts. Sends no request.

use billing_core::{Environment, Region};
use serde::Serialize;

use super::{CommandData, cannot_show, render_data};
use crate::args::Options;
use crate::config;
use crate::failure::Failure;
use crate::format::document::Document;
use crate::output::Destination;
use crate::views;

pub(crate) fn run(options: &Options, destination: &Destination) -> Result<Vec<u8>, Failure> {
    config::check_flags(options)?;
    let regions = Region::all().map(|region| {
        let environment = Environment::from(region);
        (region, environment.api().to_string(), environment.login().to_string())
    });
    render_data(&RegionsData(regions.collect()), options, destination)
}

/// A region with the addresses of its API and its login service.
struct RegionsData(Vec<(Region, String, String)>);

#[derive(Serialize)]
struct RegionJson<'a> {
    region: &'a str,
    domain: &'a str,
    api: &'a str,
    login: &'a str,
}

impl RegionsData {
    fn objects(&self) -> impl Iterator<Item = RegionJson<'_>> {
        self.0.iter().map(|(region, api, login)| RegionJson {
            region: region.name(),
            domain: region.domain(),
            api,
            login,
        })
    }
}

impl CommandData for RegionsData {
    fn document(&self) -> Document {
        views::regions(&self.0)
    }

    fn json(&self) -> Result<String, Failure> {
        let objects: Vec<RegionJson<'_>> = self.objects().collect();
        serde_json::to_string_pretty(&objects).map_err(|error| cannot_show(&error))
    }

    fn ndjson(&self) -> Result<String, Failure> {
        let lines: Result<Vec<String>, _> =
            self.objects().map(|object| serde_json::to_string(&object)).collect();
        Ok(lines.map_err(|error| cannot_show(&error))?.join("\n"))
    }
}
