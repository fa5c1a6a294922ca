"""idna: encodes and decodes names, valid and not."""
# requires: idna
# scope-of: idna
# artefact: B
# artefact-functions: *
import gc

gc.disable()
import idna

NAMES = ["ドメイン.テスト", "königsgäßchen.example", "xn--eckwd4c7c.xn--zckzah", "א-ב.com", "bad_.x"]
NAMES += ["-bad-.x", "a" * 70 + ".x", "", "مثال.إختبار", "例え.テスト", "ß.de", "xn--a.x"]

for name in NAMES:
    for function in (idna.encode, idna.decode):
        for options in ({}, {"uts46": True}, {"strict": True}):
            try:
                function(name, **options)
            except idna.IDNAError as error:
                str(error)
