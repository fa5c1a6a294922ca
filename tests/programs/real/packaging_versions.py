"""packaging: versions, specifiers, markers, requirements, tags."""
# requires: packaging.requirements
# scope-of: packaging
# artefact: B
# artefact-functions: *
# selective misses: _tp_cache _type_check __getitem__
import gc

gc.disable()
from packaging import markers, requirements, specifiers, utils, version

VERSIONS = ["1.0", "1.0a1", "2!1.0.post1", "1.0.dev3+local.1", "3.11", "0.0.1rc2", "nope"]

parsed = []
for text in VERSIONS:
    try:
        parsed.append(version.Version(text))
    except version.InvalidVersion as error:
        str(error)
sorted(parsed)
for text in (">=1.0,<2", "==1.*", "~=1.0", "!=1.0a1", "===1.0"):
    found = specifiers.SpecifierSet(text, prereleases=True)
    list(found.filter(parsed)), hash(found), str(found)
for text in ("a>=1", "b[x,y]>1; python_version < '3' and os_name == 'nt'", "c @ https://x.y/z", "?"):
    try:
        requirement = requirements.Requirement(text)
        str(requirement), requirement.marker and requirement.marker.evaluate({"extra": "x"})
    except requirements.InvalidRequirement as error:
        str(error)
markers.Marker("(os_name == 'a' or os_name == 'b') and python_version >= '3'").evaluate()
utils.parse_wheel_filename("pip-20.0-py3-none-any.whl")
utils.canonicalize_name("A.b-C_d")
