"""Reads every format of one scan with readers that know nothing of Halfopen, and prints what each says as one JSON object:
format -> sorted list of [address without zone, port, nmap's word for the state]. Fails where one cannot be read."""

import csv
import json
import re
import sys
import xml.parsers.expat

folder = sys.argv[1]
NMAP_WORDS = {"suspect": "unfiltered", "error": "unknown"}


def text(name):
    with open(f"{folder}/{name}", encoding="utf-8", newline="") as file:
        return file.read()


def entry(address, port, state):
    return [address.split("%")[0], int(port), NMAP_WORDS.get(state, state)]


def from_xml():
    found, at = [], {}

    def start(tag, attributes):
        if tag in ("address", "port"):
            at.update(attributes)
        elif tag == "state":
            found.append(entry(at["addr"], at["portid"], attributes["state"]))

    parser = xml.parsers.expat.ParserCreate()
    parser.StartElementHandler = start
    parser.Parse(text("scan.xml").encode(), True)
    return found


def from_json():
    lines = [json.loads(line) for line in text("scan.jsonl").splitlines()]
    assert lines[0]["type"] == "scan" and lines[-1]["type"] == "summary"
    return [entry(line["address"], line["port"], line["state"]) for line in lines if line["type"] == "port"]


def from_csv():
    rows = list(csv.DictReader(text("scan.csv").splitlines(keepends=True), strict=True))
    for row in rows:
        assert None not in row and None not in row.values(), row
        assert not any(cell[:1] in ("=", "+", "-", "@", "\t", "\r") for cell in row.values()), row
    return [entry(row["address"], row["port"], row["state"]) for row in rows]


def from_list():
    lines = [line.split(" ") for line in text("scan.list").splitlines() if not line.startswith("#")]
    return [entry(address, port, state) for state, _, port, address, _ in lines]


def from_grepable():
    found = []
    for line in text("scan.gnmap").splitlines():
        ports = re.match(r"Host: (\S+) \(\S*\)\tPorts: ([^\t]*)", line)
        for one in ports[2].split(", ") if ports else []:
            port, state, protocol, owner, service, rpc, version, end = one.split("/")
            assert (protocol, owner, rpc, version, end) == ("tcp", "", "", "", "")
            found.append(entry(ports[1], port, state))
    return found


readers = {"xml": from_xml, "jsonl": from_json, "csv": from_csv, "list": from_list, "gnmap": from_grepable}
print(json.dumps({name: sorted(read()) for name, read in readers.items()}))
