//! `dialplan show`, as Asterisk prints it.

use super::{
    Dialplan,
    plan::{Context, Extension},
};

impl Dialplan {
    /// The lines of `dialplan show`, of one context or all.
    #[must_use]
    pub fn lines(&self, context: Option<&str>) -> Vec<String> {
        let wanted = self.order.iter().filter(|name| context.is_none_or(|context| context == &***name));
        let mut show = Show::default();
        for context in wanted.filter_map(|name| self.contexts.get(name)) {
            show.context(context);
        }
        match context {
            Some(context) if show.contexts == 0 => vec![format!("There is no existence of '{context}' context")],
            _ => show.end(),
        }
    }
}

#[derive(Default)]
struct Show {
    lines: Vec<String>,
    contexts: usize,
    extensions: usize,
    priorities: usize,
}

impl Show {
    fn context(&mut self, context: &Context) {
        self.contexts += 1;
        self.lines.push(format!("[ Context '{}' created by 'pbx_config' ]", context.name));
        for extension in &context.extensions {
            self.extension(extension);
        }
        let mut named = |title: &str, text: &str, place: &str| {
            self.lines.push(format!("  {title:<17} {:<45} [{place}]", format!("'{text}'")));
        };
        for include in &context.includes {
            named("Include =>", &include.text.replace(',', "|"), &include.place.to_string());
        }
        for pattern in &context.ignored {
            named("Ignore pattern =>", pattern, "pbx_config");
        }
        for switch in &context.switches {
            named("Alt. Switch =>", switch, "pbx_config");
        }
        self.lines.push(String::new());
    }

    fn extension(&mut self, extension: &Extension) {
        self.extensions += 1;
        let name = extension.pattern.as_str();
        let mut first = match &extension.caller {
            Some(caller) => format!("'{name}' (CID match '{}') =>", caller.as_str()),
            None => format!("'{name}' =>"),
        };
        if let Some((hint, place)) = &extension.hint {
            self.priorities += 1;
            self.lines.push(format!("  {first:<17} {:<45} [{place}]", format!("hint: {hint}")));
            first.clear();
        }
        for step in &extension.steps {
            self.priorities += 1;
            let label = step.label.as_ref().map(|label| format!("   [{label}]")).unwrap_or_default();
            let head = if first.is_empty() { label } else { std::mem::take(&mut first) };
            let text = format!("{}. {}({})", step.priority, step.application, step.arguments);
            self.lines.push(format!("  {head:<17} {text:<45} [{}]", step.place));
        }
    }

    fn end(mut self) -> Vec<String> {
        let one = |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
        self.lines.push(format!(
            "-= {} ({}) in {}. =-",
            one(self.extensions, "extension", "extensions"),
            one(self.priorities, "priority", "priorities"),
            one(self.contexts, "context", "contexts"),
        ));
        self.lines
    }
}
