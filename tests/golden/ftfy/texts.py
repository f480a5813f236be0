"""Texts that are hard for fix_text, for make_golden.py and compare.py."""
import html.entities
import random
import unicodedata

from ftfy import badness, chardata

# Telling cases of single rules, among them what is easily done otherwise than ftfy does it.
KNOWN = [
    "", "plain", "&", "&amp;", "&amp;amp;amp;lt;", "&lt;b&gt; <b> &lt;", "&lt;\n<b>\n&lt;", "&#59;", "&semi;", "&amp&semi;lt;",
    "&#13;&#10;x&#x85;", "&#0;&#1;&#31;&#127;&#128;&#129;&#159;&#160;", "&#xD800;&#x110000;&#xFFFE;&#xFDD0;&#x1F600;",
    "&#12a;&#x;&#xg;&a;", "&" + "a" * 24 + ";", "&" + "a" * 25 + ";", "&#" + "9" * 24 + ";", "&#x" + "f" * 23 + ";",
    "＆amp;", "&#65286;amp;", "&eacute", "&EACUTE;&SZLIG;&nTILDE;&fjlig;&acE;", "&notit;", "I&T; &T&amp;T;",
    "sÃ³", "voilÃ le travail", "Ã la mode", "Ã s vezes, Ã quele, Ã quela, Ã quilo, Ã  ", "fÃ cil", "Ã ", "Ã", "Ã\n", " Ã ",
    "â€œ like this â€�", "â€œ like this â€?", "schÃ¶n � schÃ?n Ã� Ã?", "ÃƒÂ©", "Ãƒâ€šÃ‚Â©", "âœ” No problems", "ã\x83\x84",
    "日本 Ã©tÃ©", "日本\x85\x81\x91", "\x85\x91 caf\xe9", "\x81 \x8d", "\xa0Ã©", "é Ã©Ã¨Ã ", "Ã\x83\x83\x83\x83", "Ã" * 5 + "\x83" * 5 + "日",
    "â€”í\xa0½í¸\x8d", "í\xa0½í¸\n", "í\xa0½í¸�", "í\xa0½�í¸\x8d", "í\xa0½", "\xc0\x80 \x85", "â€œ\xc0\n", "â€œ\xc0\x80", "â€œ\xc0", "â€œ\xc0\n\n",
    "ГўВЂВ“a", "вЂ”", "â€”", "√±", "‚Äî", "‚âà", "ð\x9f\x98\x8d", "ð\x9f\x98 ", "ð \x98\x8d", "â \x80", "à\xa4 ", "á ", "Â© Â® Â° Â  Â .", "Œ œ œa œ–",
    "“curly” ‘quotes’ ‛‟‚„ʼ", "ŉ ĳ ǆ ﬁ ﬄ ﬅ ﬆ", "ＬＯＵＤ　ＮＯＩＳＥＳ ｶﾞ ￣ ﾡￂ", "a\r\nb\rc\r\r\nd\u2028\u2029e\x85f\n\r", "\r", "\r\n",
    "\x1b[36;44mblue\x1b[0m \x1b[m \x1b[;;H \x1b[1\x002m \x1b(B \x1b[٣m \x1b[３m \x1b［3m \x1b[3\x1b[3mm", "\ufeffbom \ufffc\ufff9\u206a\u206f\u200b\x7f\x00\x0b\x0c",
    "e\u0301 a\u0323\u0302 \u2126 \u212b \u0344 \u0958 \ufb1d \u1112\u1161\u11ab \uac00\u11a8 <\u0338 &lt;\u0338", "\U00016d67\U00016d67 \u0301\U00010efd \U000113c2\U000113c2",
    "a" * 1_000_001 + "é", "e" * 1_000_000 + "\u0301", "é" * 1_000_000 + "\u0301\nÃ©", "e" * 999_999 + "\u0301", "&amp;" * 30 + "é",
]

CLASSES = [*badness.MOJIBAKE_CATEGORIES.values(), *(v for v in chardata.UTF8_CLUES.values() if v)]
ENTITIES = list(html.entities.html5)
CODECS = ["latin-1", "cp1252", "cp1251", "cp1250", "cp1253", "cp1254", "cp1257", "iso-8859-2", "mac_roman", "cp437"]
SLOPPY = [e for e in chardata.CHARMAP_ENCODINGS]
# What appears in the expressions of badness.py and near it: one character of each is enough for a rule to be told.
PATTERN = sorted(set(c for c in badness.BADNESS_RE.pattern if not c.isspace() or c == " "))


def expand(pattern):
    members, i = [], 0
    while i < len(pattern):
        if i + 2 < len(pattern) and pattern[i + 1] == "-":
            members += [chr(c) for c in range(ord(pattern[i]), ord(pattern[i + 2]) + 1)]
            i += 3
        else:
            members.append(pattern[i])
            i += 1
    return members


MEMBERS = [expand(c) for c in CLASSES]
BLOCKS = [(0, 0x17F), (0x80, 0xFF), (0x80, 0xFF), (0x180, 0x24F), (0x2B0, 0x36F), (0x370, 0x52F), (0x900, 0xD7F), (0x1100, 0x11FF),
          (0x1AB0, 0x1AFF), (0x1DC0, 0x1FFF), (0x2000, 0x22FF), (0x2500, 0x25FF), (0x3000, 0x30FF), (0xA66F, 0xA8FF), (0xAC00, 0xD7FF),
          (0xF8FF, 0xFAFF), (0xFB00, 0xFB4F), (0xFE20, 0xFEFF), (0xFF00, 0xFFFF), (0x10D00, 0x11FFF), (0x1D100, 0x1D1FF), (0, 0x10FFFF)]
SENTENCES = ["Voilà le travail — “c’est ça” à la carte…", "Größe: ¼ © ® ±5 °C £10", "Łódź žluťoučký kůň", "Ελληνικά κείμενα Ά", "Русский текст, ёж",
             "日本語 한국어 中文", "😀👍🏽 𝒳 ♥", "naïve œuvre æ Ø å", "العربية ٣", "à às àquele fácil Ñ Ý", "İstanbul ğüş", "नमस्ते"]


def sequence(r, text):
    """Bytes of the text in UTF-8 (or CESU-8), read in another encoding."""
    data = text.encode("utf-8")
    if r.random() < 0.1:
        data = text.encode("utf-16-be")
        units = [int.from_bytes(data[i:i + 2], "big") for i in range(0, len(data), 2)]
        data = "".join(map(chr, units)).encode("utf-8", "surrogatepass").replace(b"\0", b"\xc0\x80")
    codec = r.choice(SLOPPY)
    return "".join(decode_byte(b, codec) for b in data)


def decode_byte(b, codec):
    try:
        return bytes([b]).decode(codec)
    except UnicodeDecodeError:
        return chr(b)


def damaged(r, text):
    k = r.random()
    if k < 0.15:
        return text.replace("\xa0", " ")
    if k < 0.35:
        return "".join(r.choice("\ufffd?\x1a ") if ord(c) > 0x7F and r.random() < 0.2 else c for c in text)
    if k < 0.5:
        return text[r.randint(0, len(text)):][:r.randint(1, 12)]
    return text


def piece(r):
    k = r.randrange(12)
    if k == 0:
        return "".join(r.choice(r.choice(MEMBERS)) for _ in range(r.randint(1, 4)))
    if k == 1:
        return "".join(r.choice(PATTERN) for _ in range(r.randint(1, 5)))
    if k == 2:
        start = r.randint(0, len(badness.BADNESS_RE.pattern) - 8)
        return "".join(c for c in badness.BADNESS_RE.pattern[start:start + 8] if c not in "[]|{}")
    if k in (3, 4):
        text = r.choice(SENTENCES)
        for _ in range(r.choice([1, 1, 1, 2, 3])):
            text = sequence(r, text)
        return damaged(r, text)
    if k == 5:
        text = r.choice(SENTENCES)
        at = r.randrange(len(text))
        return damaged(r, sequence(r, text[at:at + r.randint(1, 3)]))
    if k == 6:
        return "".join(chr(r.randint(*r.choice(BLOCKS))) for _ in range(r.randint(1, 6)))
    if k == 7:
        name = r.choice(ENTITIES)
        return "&" + r.choice([name, name.upper(), name.lower(), name.rstrip(";") + ";", "amp;" + name, "#%d;" % r.randint(0, 300),
                               "#x%x;" % r.choice([r.randint(0, 0x3000), r.randint(0, 0x120000)]), "#%s;" % r.choice(["38;#38", "59", "1a", "x3b", "X41"])])
    if k == 8:
        return r.choice(["\x1b[", "\x1b[1;3", "\x1b[m", "\r", "\r\n", "\n", "\u2028", "\x00", "\x1a", "\ufffd", "?", " ", "\xa0", "\xc0", "\xc0\x80", "Ã ", "Â "])
    if k == 9:
        text = unicodedata.normalize("NFD", r.choice(SENTENCES))
        at = r.randrange(len(text))
        return text[at:at + 5] + r.choice(["", "\u0301", "\u0323\u0301", "\u0338", "\u3099", "\u11a8", "\u0345"])
    if k == 10:
        return r.choice(SENTENCES)
    return r.choice(["a", "Word ", "the ", "z.", ", ", "<", "A", "à ", "Œ", "0", "&"])


def random_texts(seed, count):
    r = random.Random(seed)
    return ["".join(piece(r) for _ in range(r.choice([1, 1, 2, 2, 3, 5]))) + r.choice(["", "", "", "\n"]) for _ in range(count)]
