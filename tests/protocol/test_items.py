import json

import pytest
from pydantic import TypeAdapter

from rtchat.protocol.items import Item, ItemReference, MessageItem, OtherItem, user_text

ITEM: TypeAdapter[Item] = TypeAdapter(Item)


def test_user_text():
    assert json.loads(ITEM.dump_json(user_text("hi"), exclude_unset=True)) == {
        "type": "message",
        "role": "user",
        "content": [{"type": "input_text", "text": "hi"}],
    }
    assert user_text("hi", item_id="item_1").id == "item_1"


def test_an_unheard_of_item_is_kept_as_one():
    item = ITEM.validate_json('{"type":"hologram","id":"item_1","depth":3}')
    assert item == OtherItem(type="hologram", id="item_1")


@pytest.mark.parametrize("kind", ["message", "function_call", "function_call_output", "mcp_list_tools", "mcp_call"])
def test_a_known_type_with_wrong_fields_is_not_taken_for_an_unheard_of_one(kind: str):
    with pytest.raises(ValueError, match=kind):
        ITEM.validate_json(json.dumps({"type": kind, "id": "item_1"}))


def test_a_value_is_its_own_item():
    for item in (user_text("a"), ItemReference(id="b"), MessageItem(role="system", content=[])):
        assert ITEM.validate_python(item) is item
