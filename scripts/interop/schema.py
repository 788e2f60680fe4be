"""Prints the message descriptors of an installed client of the broker as JSON:
{message: {field: [number, kind, repeated]}}. Kinds: i32 i64 bool f64 text map, or a message's name.

Run as a process of its own by tools/twsim/tests/interop.rs; nothing of the client is copied.
"""

import importlib
import json
import os
import sys

import ibapi.protobuf

KINDS = {1: "f64", 3: "i64", 5: "i32", 8: "bool", 9: "text"}


def kind(field):
    if field.message_type is not None:
        is_map = field.message_type.GetOptions().map_entry
        return "map" if is_map else field.message_type.name
    return KINDS.get(field.type, "type %d" % field.type)


def repeated(field):
    try:
        return bool(field.is_repeated)
    except AttributeError:
        return field.label == 3


messages = {}
folder = os.path.dirname(ibapi.protobuf.__file__)
# Generated modules import each other by their bare names.
sys.path.insert(0, folder)
for name in sorted(os.listdir(folder)):
    if not name.endswith("_pb2.py"):
        continue
    try:
        module = importlib.import_module("ibapi.protobuf." + name[:-3])
    except TypeError:
        module = importlib.import_module(name[:-3])
    for message in module.DESCRIPTOR.message_types_by_name.values():
        messages[message.name] = {
            f.name: [f.number, kind(f), repeated(f)] for f in message.fields
        }
json.dump(messages, sys.stdout)
