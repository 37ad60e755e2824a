use super::*;

fn conversation(turns: &[(Role, &str)]) -> Vec<Message> {
    turns.iter().map(|&(role, content)| Message { role, content: content.into() }).collect()
}

fn of(template: &str) -> Result<Template, Fault> {
    let token = |text: &str| Some(text.to_owned());
    let chat = Chat { template: template.into(), bos_token: token("<s>"), eos_token: token("</s>"), unk_token: None };
    Template::new(chat, || panic!("it took longer than it may"))
}

fn rendered(template: &str, turns: &[(Role, &str)]) -> Result<String, Fault> {
    of(template)?.render(&conversation(turns))
}

const TURNS: [(Role, &str); 3] = [(Role::User, " Hi "), (Role::Assistant, "Hello."), (Role::User, "Why?\n")];

#[test]
fn templates_of_public_models_render_as_their_authors_meant() {
    let chatml = "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n<|im_start|>user\n Hi <|im_end|>\n\
                  <|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nWhy?\n<|im_end|>\n<|im_start|>assistant\n";
    let llama2 = "<s>[INST] Hi [/INST] Hello. </s><s>[INST] Why? [/INST]";
    let mistral = "<s>[INST]  Hi  [/INST]Hello.</s>[INST] Why?\n [/INST]";
    let zephyr = "<|user|>\n Hi </s>\n<|assistant|>\nHello.</s>\n<|user|>\nWhy?\n</s>\n<|assistant|>\n";
    let gemma = "<s><start_of_turn>user\nHi<end_of_turn>\n<start_of_turn>model\nHello.<end_of_turn>\n\
                 <start_of_turn>user\nWhy?<end_of_turn>\n<start_of_turn>model\n";
    let phi3 = "<|user|>\n Hi <|end|>\n<|assistant|>\nHello.<|end|>\n<|user|>\nWhy?\n<|end|>\n<|assistant|>\n";
    let qwen3 = "<|im_start|>user\n Hi <|im_end|>\n<|im_start|>assistant\nHello.<|im_end|>\n\
                 <|im_start|>user\nWhy?\n<|im_end|>\n<|im_start|>assistant\n";
    for (template, expected) in [
        (include_str!("../../tests/templates/chatml.jinja"), chatml),
        (include_str!("../../tests/templates/llama2.jinja"), llama2),
        (include_str!("../../tests/templates/mistral.jinja"), mistral),
        (include_str!("../../tests/templates/zephyr.jinja"), zephyr),
        (include_str!("../../tests/templates/gemma.jinja"), gemma),
        (include_str!("../../tests/templates/phi3.jinja"), phi3),
        (include_str!("../../tests/templates/qwen3.jinja"), qwen3),
    ] {
        assert_eq!(rendered(template, &TURNS).unwrap(), expected);
    }
    let llama3 = rendered(include_str!("../../tests/templates/llama3.jinja"), &TURNS).unwrap();
    assert!(llama3.starts_with("<s><|start_header_id|>system<|end_header_id|>\n\nCutting Knowledge Date"), "{llama3}");
    assert!(llama3.contains(&Utc::now().format("Today Date: %d, %B, %Y\n\n<|eot_id|>").to_string()), "{llama3}");
    assert!(llama3.ends_with("\n\nWhy?<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"), "{llama3}");
}

#[test]
fn a_refusal_is_the_askers_fault_and_quotes_only_the_template() {
    let fault = rendered("{{ raise_exception('Only user roles!') }}", &TURNS).unwrap_err();
    assert_eq!(fault.code, Code::BadRequest);
    assert!(fault.message.contains("refuses the conversation: Only user roles!"), "{fault}");
    let secret = [(Role::User, "the secret word")];
    for template in [
        "{{ raise_exception('no ' ~ messages[0].content) }}",
        "{{ raise_exception(messages[0].content) }}",
        "{% macro m() %}{{ raise_exception('x' ~ messages[0].content) }}{% endmacro %}{{ m() }}",
    ] {
        let fault = rendered(template, &secret).unwrap_err();
        assert_eq!(fault.code, Code::BadRequest, "{fault}");
        assert!(!fault.message.contains("secret"), "{fault}");
    }
    for template in ["{{ messages[0].content.nothing.there }}", "{{ messages[0].content|never }}", "{{ 1 + messages }}"]
    {
        let fault = rendered(template, &secret).unwrap_err();
        assert_eq!(fault.code, Code::ModelBroken, "{fault}");
        assert!(!fault.message.contains("secret"), "{fault}");
    }
    assert_eq!(rendered("{{ messages[0].role }}{{ messages[0].x.y }}", &[]).unwrap_err().code, Code::BadRequest);
}

#[test]
fn what_does_too_much_ends() {
    for (template, says) in [
        ("{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}", "steps"),
        ("{% for a in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", "writes more"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "broken"),
        ("{{ messages|tojson(indent=99999999999) }}", "broken"),
        ("{{ strftime_now('%!') }}", "broken"),
        ("{{ 'x' * 99999999999 }}", "broken"),
        ("{% for m in messages %}", "syntax error"),
        ("{% include 'x' %}", "broken"),
        ("{{ open('/etc/passwd') }}", "unknown"),
        ("{{ ''.__class__.__mro__ }}", "broken"),
    ] {
        let fault = of(template).and_then(|template| template.render(&conversation(&TURNS))).unwrap_err();
        assert_eq!(fault.code, Code::ModelBroken, "{template}: {fault}");
        assert!(fault.message.contains(says), "{template}: {fault}");
    }
    assert!(of(&" ".repeat(TEMPLATE_BYTES_MAX + 1)).is_err());
}

#[test]
fn a_long_conversation_is_within_its_bounds() {
    let long: Vec<_> = (0..2000).map(|n| (if n % 2 == 0 { Role::User } else { Role::Assistant }, "x")).collect();
    for template in
        [include_str!("../../tests/templates/llama2.jinja"), include_str!("../../tests/templates/qwen3.jinja")]
    {
        let chat = Chat { template: template.into(), bos_token: Some(String::new()), eos_token: None, unk_token: None };
        // This build is slow; only steps and bytes count here.
        assert!(Template::new(chat, || ()).unwrap().render(&conversation(&long[..1])).is_ok());
    }
    let qwen = include_str!("../../tests/templates/qwen3.jinja");
    let chat = Chat { template: qwen.into(), ..Chat::default() };
    assert!(Template::new(chat, || ()).unwrap().render(&conversation(&long)).is_ok());
    let large = "word ".repeat(4 << 20);
    let echo = rendered("{{ messages[0].content }}", &[(Role::User, &large)]).unwrap();
    assert_eq!(echo.len(), large.len());
}
