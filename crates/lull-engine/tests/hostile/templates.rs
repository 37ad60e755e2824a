//! Chat templates that run for ever, fill the memory, write without end, or look for what is not theirs.

use serde_json::{Value, json};

use crate::corpus::{Case, Expect, original};

/// All cases.
pub(crate) fn cases() -> Vec<Case> {
    let good: Value = serde_json::from_slice(&original("tokenizer_config.json")).unwrap();
    let case = |template: &str, expect| {
        let mut config = good.clone();
        config["chat_template"] = json!(template);
        let name = format!("template {template:.60}");
        let case = Case::file(name, "gguf", "tokenizer_config.json", config.to_string().into_bytes());
        Case { expect, ..case }
    };
    let mut cases: Vec<Case> = BROKEN.iter().map(|template| case(template, Expect::Broken)).collect();
    cases.extend(DYING.iter().map(|template| case(template, Expect::Dies)));
    cases.extend(REFUSING.iter().map(|template| case(template, Expect::BadRequest)));
    let deep = ["{{ 1".to_owned() + &" + 1".repeat(60_000) + " }}", "{{ ".to_owned() + &"not ".repeat(60_000) + "1 }}"];
    cases.extend(deep.iter().map(|template| case(template, Expect::Broken)));
    cases.extend(LONG.iter().map(|(part, times)| case(&part.repeat(*times), Expect::Refused)));
    cases.extend(HARMLESS.iter().map(|template| case(template, Expect::Anything)));
    cases
}

/// Those that are no templates, want what there is not, or do too much.
const BROKEN: &[&str] = &[
    "{% for m in messages %}",
    "{% endfor %}",
    "{{ messages",
    "{{ messages[0].content",
    "{% if %}{% endif %}",
    "{% never %}",
    "{{ 1 + }}",
    "{{ '\\u{110000}' ~ \"x }}",
    "{% raw %}",
    "{# never closed",
    "{{ messages[99].content.nothing }}",
    "{{ messages.nothing.there }}",
    "{{ messages[0].content.never() }}",
    "{{ messages|never }}",
    "{{ never(1) }}",
    "{{ 1 // 0 }}",
    "{{ 1 % 0 }}",
    "{{ 'x' + 1 }}",
    "{{ messages[0]['content']['role']['x'] }}",
    "{% include '/etc/passwd' %}",
    "{% import '../../etc/passwd' as x %}",
    "{% extends 'base' %}",
    "{{ open('/etc/passwd').read() }}",
    "{{ self.__init__.__globals__.__builtins__.__import__('os').system('id') }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ ().__class__.__base__.__subclasses__()[1].__init__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{% for b in range(9999) %}{{ b }}{% endfor %}{% endfor %}",
    "{% for a in range(9999) %}{{ 'x' * 99999 }}{% endfor %}",
    "{{ 'x' * 9999999 }}",
    "{{ 'x' * 999999999999 }}",
    "{{ 'x' * -1 }}",
    "{{ [1] * 99999999999999999999 }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% macro a() %}{{ b() }}{% endmacro %}{% macro b() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
    "{{ messages|tojson(indent=999999999999) }}",
    "{{ messages|tojson(indent=-1) }}{{ messages.x.y }}",
    "{{ strftime_now('%!') }}",
    "{{ strftime_now(messages) }}",
    "{{ range(0, 999999999999) }}",
    "{{ range(0, 10, 0) }}",
    "{{ raise_exception() }}",
    "{{ 'a'.replace() }}",
    "{{ 9223372036854775807 * 9223372036854775807 * 9223372036854775807 * 9223372036854775807 }}",
    "{{ 10 ** 10 ** 10 }}",
    "{% set messages = none %}{{ messages[0].content.x }}",
];

/// Those that a worker dies of: one instruction may do much, and the clock and the memory have bounds, too.
const DYING: &[&str] = &[
    "{% set ns = namespace(s='xxxxxxxxxxxxxxxx') %}{% for i in range(40) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}{{ ns.s|length }}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s = (ns.s + ns.s)|list %}{% endfor %}{{ ns.s|length }}",
    "{% set s = 'xy' * 2000000 %}{% for i in range(9999) %}{% set t = s|replace('y', 'z') %}{% endfor %}done",
    "{% set s = 'ab ' * 1000000 %}{% for i in range(9999) %}{% set t = s.split(' ')|list|sort|join('-') %}{% endfor %}done",
    "{% for i in range(9999) %}{% set t = range(9999)|list|sort|reverse|join(',')|upper %}{% endfor %}done",
    "{{ [1]|batch(1000000000000, 'x')|list }}",
    "{{ range(90000)|join('x' * 10000) }}",
    "{% set x = namespace() %}{% set x.x = x %}{{ x|tojson }}",
];

/// Those that refuse the conversation.
const REFUSING: &[&str] = &[
    "{{ raise_exception('Conversation roles must alternate') }}",
    "{{ raise_exception('') }}",
    "{% if messages[0].role != 'system' %}{{ raise_exception('no system ' ~ messages[0].content) }}{% endif %}",
    "{% macro m(x) %}{{ raise_exception(x) }}{% endmacro %}{{ m('line\nline\u{7}') }}",
];

/// Long or deep ones: a part, and how often.
const LONG: &[(&str, usize)] = &[
    ("{{ x }", 50_000),
    ("{% if true %}", 20_000),
    ("{{ ((((((((((", 10_000),
    ("{{ [[[[[[[[[[[[[[[[", 5000),
    ("{% for a in messages %}", 10_000),
    ("{% macro m() %}", 10_000),
    ("x", 300_000),
];

/// Those that may be answered: what they try does nothing.
const HARMLESS: &[&str] = &[
    "{{ ([1] * 99999999)|length }}",
    "",
    "{{ '' }}",
    "x",
    "\u{feff}{{ messages[0].content }}\u{0}",
    "{{ messages }}",
    "{{ self }}{{ loop }}{{ __builtins__ }}{{ config }}{{ request }}",
    "{{ debug() }}",
    "{% set ns = namespace(x=[]) %}{% for i in range(9999) %}{% set ns.x = [ns.x] %}{% endfor %}ok",
    "{% set ns = namespace(x=[]) %}{% for i in range(99999) %}{% set ns.x = [ns.x] %}{% endfor %}{{ ns.x }}",
    "{% set x = namespace() %}{% set x.x = x %}{{ x }}",
    "{{ 'x'|indent(999999999) }}",
    "{{ '%99999999d'|format(1) }}",
    "{{ 'x'.center(999999999) }}",
    "{{ 'x'|center(999999999) }}",
];
