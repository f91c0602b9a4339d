//! One prompt: a file, parsed.

use crate::answer::Reading;
use crate::error::{Fault, Place, PromptError};
use crate::matter::{self, Metadata, Reader};
use crate::picoschema::Schemas;
use crate::settings;
use crate::structured::Expected;
use crate::techniques::Techniques;
use crate::template::{Limits, Named, Renderer, Template};
use crate::turns::{Slot, slots};
use crate::variables::{self, Input, Variable, Variables};
use crate::version::VersionId;
use hanok_base::Object;
use serde_json::Value;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Partials by name: what a file `_NAME.prompt` holds.
pub type Partials = BTreeMap<String, String>;

/// A prompt's file, parsed: ready to be rendered.
#[derive(Clone, Debug)]
pub struct Prompt {
    name: String,
    file: String,
    source: Arc<str>,
    partials: Partials,
    version: VersionId,
    data: Metadata,
    techniques: Techniques,
    notes: Vec<String>,
    template: Template,
    /// The byte of the file at which the template begins.
    begins: usize,
    parsed: BTreeMap<String, Template>,
    input: Option<Input>,
    output: Option<Arc<Expected>>,
}

impl Prompt {
    /// Reads a prompt. Of `partials`, those that it uses, directly or through others, become part of it.
    pub fn parse(name: &str, source: &str, partials: &Partials) -> Result<Self, PromptError> {
        Self::parse_with(name, source, partials, &Schemas::new())
    }

    pub(crate) fn parse_with(
        name: &str,
        source: &str,
        partials: &Partials,
        schemas: &Schemas,
    ) -> Result<Self, PromptError> {
        let file = format!("{name}.prompt");
        let source = source.strip_prefix('\u{feff}').unwrap_or(source);
        let split = matter::split(source).map_err(|at| {
            Fault::new(at, "the front matter is not closed; end it with a line of `---`")
                .in_file(&file, source, 0)
        })?;
        let begins = split.template.start;
        let text = source.get(split.template).unwrap_or_default();
        let matter = split.matter.unwrap_or_default();
        let reader = Reader { file: &file, source, matter };
        let (data, notes) = reader.read(schemas)?;
        let techniques = Techniques::read(&data, &reader)?;
        if let Some(name) = settings::misfit(&data.config) {
            let value = data.config.get(name).map(ToString::to_string).unwrap_or_default();
            let message = format!(
                "{value} is no value of `{name}`; write a number, a text or a list as the setting wants it"
            );
            return Err(reader.wrong(&["config", name], message));
        }
        let template = Template::parse(text).map_err(|fault| fault.in_file(&file, source, begins))?;
        let (used, parsed) = used_partials(&template, partials, &|at, name| {
            let message = format!("there is no partial `{name}`; a partial is a file named `_{name}.prompt`");
            Fault::new(at, message).in_file(&file, source, begins)
        })?;
        let input = data
            .input_schema
            .as_ref()
            .map(|schema| {
                compiled(&reader, "input", schema)
                    .map(|validator| Input { schema: schema.clone(), validator })
            })
            .transpose()?;
        let output = match &data.output_schema {
            Some(schema) if data.output_format.as_deref() != Some("text") => {
                let validator = compiled(&reader, "output", schema)?;
                Some(Arc::new(Expected { schema: schema.clone(), validator }))
            }
            _ => None,
        };
        let version = VersionId::of(source, &used);
        Ok(Self {
            name: name.to_owned(),
            source: source.into(),
            partials: used,
            version,
            data,
            techniques,
            notes,
            template,
            begins,
            parsed,
            input,
            output,
            file,
        })
    }

    /// Its name: the file's, without `.prompt`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &VersionId {
        &self.version
    }

    /// The file's text.
    pub fn source(&self) -> &Arc<str> {
        &self.source
    }

    /// The partials it uses.
    pub fn partials(&self) -> &Partials {
        &self.partials
    }

    /// What its front matter says.
    pub fn metadata(&self) -> &Metadata {
        &self.data
    }

    /// The techniques it asks for.
    pub fn techniques(&self) -> &Techniques {
        &self.techniques
    }

    /// What is no error and may be a slip, for people.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Its variables.
    pub fn variables(&self) -> Vec<Variable> {
        variables::listed(self.input.as_ref(), &self.data.input_default, &self.template.variables())
    }

    /// What its answer is to fit.
    pub(crate) fn expected(&self) -> Option<&Arc<Expected>> {
        self.output.as_ref()
    }

    /// How its answers are read; `None` where they are taken as they come.
    pub fn reading(&self) -> Option<Arc<Reading>> {
        Reading::of(self).map(Arc::new)
    }

    /// Whether its template places examples itself.
    pub(crate) fn places_examples(&self) -> bool {
        self.template.reads_local("examples")
            || self.parsed.values().any(|partial| partial.reads_local("examples"))
    }

    pub(crate) fn prepared(&self, given: &Variables) -> Result<Variables, PromptError> {
        variables::prepared(&self.name, given, &self.data.input_default, self.input.as_ref())
    }

    /// The template's turns with these variables.
    pub(crate) fn turns(&self, variables: Variables, locals: &Object) -> Result<Vec<Slot>, PromptError> {
        let steps = Cell::new(0);
        let escaped = self.techniques.escaped.as_deref();
        let renderer = Renderer::new(&self.parsed, locals, &steps, Limits::default()).escaping(escaped);
        let pieces = renderer.render(&self.template, &Value::Object(variables));
        pieces.map(slots).map_err(|(partial, fault)| {
            let (file, place) = match &partial {
                Some(name) => {
                    let source = self.partials.get(name).map_or("", String::as_str);
                    (format!("_{name}.prompt"), Place::of(source, fault.offset))
                }
                None => (self.file.clone(), Place::of(&self.source, self.begins + fault.offset)),
            };
            PromptError::Render { file, place, message: fault.message }
        })
    }
}

fn compiled(reader: &Reader<'_>, member: &str, schema: &Value) -> Result<jsonschema::Validator, PromptError> {
    jsonschema::validator_for(schema)
        .map_err(|error| reader.wrong(&[member, "schema"], format!("the schema is no JSON Schema: {error}")))
}

/// The partials that a template uses, directly or through others, and what they are parsed.
fn used_partials(
    template: &Template,
    partials: &Partials,
    missing: &dyn Fn(usize, &str) -> PromptError,
) -> Result<(Partials, BTreeMap<String, Template>), PromptError> {
    let (mut used, mut parsed) = (Partials::new(), BTreeMap::new());
    let mut wanted: Vec<String> = Vec::new();
    for Named { name, at, has_fallback } in template.partials() {
        if !partials.contains_key(name) && !has_fallback {
            return Err(missing(at, name));
        }
        wanted.push(name.to_owned());
    }
    while let Some(name) = wanted.pop() {
        if parsed.contains_key(&name) {
            continue;
        }
        // One that only a caller defines, or that has a text of its own to fall back to.
        let Some(source) = partials.get(&name) else { continue };
        let template =
            Template::parse(source).map_err(|fault| fault.in_file(&format!("_{name}.prompt"), source, 0))?;
        wanted.extend(template.partials().into_iter().map(|named| named.name.to_owned()));
        used.insert(name.clone(), source.clone());
        parsed.insert(name, template);
    }
    Ok((used, parsed))
}
