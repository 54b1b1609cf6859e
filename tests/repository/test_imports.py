"""Imports within the agent that import-linter has no contract for; the others are in homeportd/pyproject.toml."""

import grimp

PRIVATE = ("store", "api")  # modules of a room that only the room itself and the assemblies import
ASSEMBLY = "homeportd.assembly"


def test_a_rooms_store_and_api_are_its_own() -> None:
    graph = grimp.build_graph("homeportd", cache_dir=None)
    private = [module for module in graph.modules if module.rpartition(".")[2] in PRIVATE]
    assert "homeportd.shares.store" in private
    foreign = [
        f"{importer} imports {module}"
        for module in private
        for importer in graph.find_modules_that_directly_import(module)
        if not f"{importer}.".startswith((f"{module.rpartition('.')[0]}.", f"{ASSEMBLY}."))
    ]
    assert not foreign, (
        "ask the room's service instead, or make the rooms known to one another in an assembly"
    )
