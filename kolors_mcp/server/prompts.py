"""The prompts: ways to begin, each a text that the user sends to the assistant."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from kolors_mcp.models import looks_like_an_id
from kolors_mcp.wording import quoted

MAX_ARGUMENT_CHARACTERS = 2_000
"""Of one argument; links are long."""
GARMENT_NUMBERS = ("2", "3", "4", "5", "6")
"""What `most` may be: how many garments are compared."""
DEFAULT_GARMENT_NUMBER = "3"
OCCASIONS = ("everyday", "office", "sport", "party", "wedding", "travel", "winter", "summer")

Given = Mapping[str, str]


@dataclass(frozen=True)
class PromptTemplate:
    """A prompt: how it is listed, and how its text is made of what was given."""

    title: str
    description: str
    arguments: Mapping[str, str]
    """By name, what each is; all are optional and one word."""
    text: Callable[[Given], str]


PERSON = "The person's photo: a path, a link, photo:NAME, or the task_id of an earlier try-on to go on from."


def _try_on(given: Given) -> str:
    return (
        "Show me how a garment looks on a person, with Kling's virtual try-on.\n"
        f"{_person(given)}\n{_picture(given, 'garment', 'The garment')}\n"
        "Call create_try_on once with both, with wait_seconds 30; it costs one unit, so do not repeat it. If it is not "
        "finished, go on with get_try_on. Then call view_try_on with compare true, tell me in two sentences how it "
        "looks, and give me the link whole."
    )


def _compare(given: Given) -> str:
    most = _most(given)
    return (
        "Help me choose between several garments on the same person, with Kling's virtual try-on.\n"
        f"{_person(given)}\nThe garments: ask me for their photos, if I have not given them yet.\n"
        f"Each garment costs one unit: make at most {most} try-ons, tell me the number before you begin, and "
        "wait for my yes. Then call create_try_on once for each, side by side, with the same human_image, a "
        "label each and wait_seconds 30, and get_try_on until all are finished. Lay them side by side with "
        "compare_try_ons, put them in a table (number, garment, for, against, whole link), and say which one "
        "you would take and why; view_try_on shows one larger."
    )


def _lookbook(given: Given) -> str:
    most = _most(given)
    occasion = given.get("occasion")
    wanted = f" for {quoted(occasion, 60)}" if occasion else ""
    return (
        f"Make a lookbook{wanted}: one person in several looks, with Kling's virtual try-on.\n"
        f"{_person(given)}\nThe garments: ask me for their photos, if I have not given them yet.\n"
        "A look is one garment, or an upper one as cloth_image with a lower one as lower_cloth_image; each "
        f"costs one unit. Propose at most {most} looks with a label each, tell me the number, and wait for my "
        "yes. Then call create_try_on once for each, side by side, with its label and wait_seconds 30, and "
        "get_try_on until all are finished. End with compare_try_ons over all of them and a line for each "
        "look with its whole link; view_try_on shows one larger, save_try_on keeps those that I choose."
    )


def _most(given: Given) -> str:
    most = given.get("most", DEFAULT_GARMENT_NUMBER)
    if most not in GARMENT_NUMBERS:
        raise MCPError(INVALID_PARAMS, f"most is {quoted(most, 40)}; it takes {' or '.join(GARMENT_NUMBERS)}.")
    return most


def _outfit(given: Given) -> str:
    occasion = given.get("occasion")
    wanted = f" for {quoted(occasion, 60)}" if occasion else ""
    return (
        f"Build me an outfit{wanted} from an upper and a lower garment, with Kling's virtual try-on.\n"
        f"{_person(given)}\n{_picture(given, 'upper', 'The upper garment')}\n"
        f"{_picture(given, 'lower', 'The lower garment')}\n"
        "Call create_try_on once with the upper one as cloth_image and the lower one as lower_cloth_image, with "
        "wait_seconds 30: both together cost one unit. A dress takes no other garment. If it is not finished, go on "
        "with get_try_on. Look at it with view_try_on, compare true, and give me the link whole. Propose at most two "
        "changes, and make one only when I say so: each costs one more unit."
    )


def _layer(given: Given) -> str:
    return (
        "Put one more garment over what a person wears already in an earlier try-on, with Kling's virtual try-on.\n"
        f"{_person(given) if 'person' in given else EARLIER}\n{_picture(given, 'garment', 'The garment')}\n"
        "Call create_try_on once, with the task_id of the earlier try-on itself as human_image and wait_seconds 30; it "
        "costs one unit. If it is not finished, go on with get_try_on. Then call view_try_on with compare true: the "
        "earlier result stands to the left. Tell me in two sentences what has changed, and give me the link whole. "
        "Kling puts a garment on; it changes neither pose nor background, and what lies below may change a little."
    )


EARLIER = (
    "The person: the result of an earlier try-on. Call list_try_ons, and ask me which one if several may be meant."
)

TEMPLATES: dict[str, PromptTemplate] = {
    "try_on_garment": PromptTemplate(
        "Try one garment on (Kling)",
        "See one garment on one person. Costs one unit.",
        {"person": PERSON, "garment": "The garment's photo: a path or a link."},
        _try_on,
    ),
    "compare_garments": PromptTemplate(
        "Compare several garments (Kling)",
        "See several garments on the same person, and choose. Costs one unit each.",
        {"person": PERSON, "most": "How many try-ons may be paid for at most, 2 to 6."},
        _compare,
    ),
    "lookbook": PromptTemplate(
        "Make a lookbook (Kling)",
        "One person in several looks on one sheet. Costs one unit each.",
        {
            "person": PERSON,
            "most": "How many looks may be paid for at most, 2 to 6.",
            "occasion": "What it is for, in a word.",
        },
        _lookbook,
    ),
    "build_outfit": PromptTemplate(
        "Build an outfit (Kling)",
        "An upper and a lower garment together on one person. Costs one unit.",
        {
            "person": PERSON,
            "upper": "The upper garment's photo: a path or a link.",
            "lower": "The lower garment's photo: a path or a link.",
            "occasion": "What it is for, in a word.",
        },
        _outfit,
    ),
    "layer_garment": PromptTemplate(
        "Put a garment over an earlier result (Kling)",
        "One more garment over a finished try-on, a jacket over a dress. Costs one unit.",
        {"person": "The task_id of the earlier try-on.", "garment": "The garment's photo: a path or a link."},
        _layer,
    ),
}


def list_prompts() -> list[Prompt]:
    """Return the prompts as a host lists them."""
    return [
        Prompt(
            name=name,
            title=template.title,
            description=template.description,
            arguments=[
                PromptArgument(name=argument, description=text, required=False)
                for argument, text in template.arguments.items()
            ],
        )
        for name, template in TEMPLATES.items()
    ]


def render_prompt(name: str, arguments: Given) -> GetPromptResult:
    """Return a prompt's text.

    Raises:
        MCPError: There is no such prompt, or it has no such argument or value.
    """
    template = template_of(name)
    for argument, value in arguments.items():
        if argument not in template.arguments:
            raise MCPError(
                INVALID_PARAMS,
                f"{name} has no argument {quoted(argument, 60)}; it takes {', '.join(template.arguments)}.",
            )
        if len(value) > MAX_ARGUMENT_CHARACTERS:
            raise MCPError(
                INVALID_PARAMS,
                f"{argument} is longer than {MAX_ARGUMENT_CHARACTERS} characters; give a path or a link.",
            )
    text = template.text({argument: value.strip() for argument, value in arguments.items() if value.strip()})
    message = PromptMessage(role="user", content=TextContent(type="text", text=text))
    return GetPromptResult(description=template.description, messages=[message])


def template_of(name: str) -> PromptTemplate:
    """Return a prompt.

    Raises:
        MCPError: No prompt has this name.
    """
    if name not in TEMPLATES:
        raise MCPError(INVALID_PARAMS, f"There is no prompt {quoted(name, 60)}; there are {', '.join(TEMPLATES)}.")
    return TEMPLATES[name]


def _person(given: Given) -> str:
    person = given.get("person")
    if person is not None and looks_like_an_id(person):
        return (
            f"The person: the result of the earlier try-on {person}. Give this id itself as human_image; what is new "
            "goes over what is worn there."
        )
    return _picture(given, "person", "The person")


def _picture(given: Given, name: str, what: str) -> str:
    if name in given:
        return f"{what}: {quoted(given[name], MAX_ARGUMENT_CHARACTERS)}"
    return f"{what}: ask me for the photo, a path or a link, if I have not given it yet."
