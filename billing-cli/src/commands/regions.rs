//! `regions`: the regions and their hosts, without asking anybody.

use billing_core::{Environment, Region};
use serde::Serialize;

use super::{Found, print, unreadable};
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
    print(&Regions(regions.collect()), options, destination)
}

/// Each with the addresses of its API and of its login service.
struct Regions(Vec<(Region, String, String)>);

#[derive(Serialize)]
struct Object<'a> {
    region: &'a str,
    domain: &'a str,
    api: &'a str,
    login: &'a str,
}

impl Regions {
    fn objects(&self) -> impl Iterator<Item = Object<'_>> {
        self.0.iter().map(|(region, api, login)| Object {
            region: region.name(),
            domain: region.domain(),
            api,
            login,
        })
    }
}

impl Found for Regions {
    fn document(&self) -> Document {
        views::regions(&self.0)
    }

    fn json(&self) -> Result<String, Failure> {
        let objects: Vec<Object<'_>> = self.objects().collect();
        serde_json::to_string_pretty(&objects).map_err(|error| unreadable(&error))
    }

    fn ndjson(&self) -> Result<String, Failure> {
        let lines: Result<Vec<String>, _> =
            self.objects().map(|object| serde_json::to_string(&object)).collect();
        Ok(lines.map_err(|error| unreadable(&error))?.join("\n"))
    }
}
