"""The signs of mathematics: LaTeX names to Unicode characters, raised and lowered characters, alphabets. Tables only.

The names and the classes are those of TeX (The TeXbook, chapters 17 and 18, appendix F), amsmath and amssymb; the
characters are Unicode's. Every character is one cell wide.
"""

import unicodedata
from enum import IntEnum
from typing import Final


class Class(IntEnum):
    """What a sign is to its neighbours; it decides where blanks stand (The TeXbook, chapter 18)."""

    ORDINARY = 0
    OPERATOR = 1  # a word (sin) or a large sign (∑), set apart from what it works on
    BINARY = 2
    RELATION = 3
    OPEN = 4
    CLOSE = 5
    PUNCTUATION = 6


def _names(text: str) -> dict[str, str]:
    """Read pairs of a name and its character."""
    words = text.split()
    return dict(zip(words[::2], words[1::2], strict=True))


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


LETTERS: Final = _names(
    """
    alpha α beta β gamma γ delta δ epsilon ε varepsilon ε zeta ζ eta η theta θ vartheta ϑ iota ι kappa κ lambda λ mu μ
    nu ν xi ξ omicron ο pi π varpi ϖ rho ρ varrho ϱ sigma σ varsigma ς tau τ upsilon υ phi φ varphi φ chi χ psi ψ
    omega ω Gamma Γ Delta Δ Theta Θ Lambda Λ Xi Ξ Pi Π Sigma Σ Upsilon Υ Phi Φ Psi Ψ Omega Ω digamma ϝ
    infty ∞ partial ∂ nabla ∇ hbar ℏ ell ℓ Re ℜ Im ℑ wp ℘ aleph ℵ beth ℶ emptyset ∅ varnothing ∅ forall ∀ exists ∃
    nexists ∄ neg ¬ lnot ¬ top ⊤ bot ⊥ angle ∠ measuredangle ∡ triangle △ square □ Box □ blacksquare ■ Diamond ◇
    lozenge ◊ prime ′ dagger † ddagger ‡ S § P ¶ degree ° imath ı jmath ȷ complement ∁ checkmark ✓
    dots … ldots … dotsc … dotso … cdots ⋯ dotsb ⋯ dotsm ⋯ dotsi ⋯ vdots ⋮ ddots ⋱ surd √ flat ♭ natural ♮ sharp ♯
    clubsuit ♣ diamondsuit ♢ heartsuit ♡ spadesuit ♠ bigstar ★ pounds £ euro € yen ¥
    blacktriangle ▲ triangledown ▽ QED ∎ qedsymbol ∎ mho ℧ eth ð hslash ℏ
    # # % % & & $ $ _ _ | ‖ Vert ‖ vert | backslash \\ lbrace { rbrace } lbrack [ rbrack ]
    """
)
BINARIES: Final = _names(
    """
    pm ± mp ∓ times × div ÷ cdot · ast ∗ bullet • oplus ⊕ ominus ⊖ otimes ⊗ oslash ⊘ odot ⊙ cap ∩ cup ∪ sqcap ⊓
    sqcup ⊔ vee ∨ lor ∨ wedge ∧ land ∧ setminus ∖ smallsetminus ∖ wr ≀ uplus ⊎ amalg ⨿ diamond ⋄ ltimes ⋉ rtimes ⋊
    bigtriangleup △ triangleleft ◁ triangleright ▷ barwedge ⊼ veebar ⊻ boxplus ⊞ boxtimes ⊠ boxminus ⊟ centerdot ·
    dotplus ∔ intercal ⊺ star ⋆ circ ∘
    """
)
RELATIONS: Final = _names(
    """
    le ≤ leq ≤ ge ≥ geq ≥ ne ≠ neq ≠ lt < gt > leqslant ⩽ geqslant ⩾ equiv ≡ approx ≈ cong ≅ sim ∼ simeq ≃ propto ∝
    varpropto ∝ ll ≪ gg ≫ prec ≺ succ ≻ preceq ≼ succeq ≽ in ∈ notin ∉ ni ∋ owns ∋ subset ⊂ supset ⊃ subseteq ⊆
    supseteq ⊇ subsetneq ⊊ supsetneq ⊋ nsubseteq ⊈ sqsubseteq ⊑ sqsupseteq ⊒ mid | nmid ∤ parallel ∥ nparallel ∦
    perp ⊥ vdash ⊢ dashv ⊣ models ⊨ vDash ⊨ Vdash ⊩ asymp ≍ doteq ≐ triangleq ≜ coloneqq ≔ eqqcolon ≕ lesssim ≲
    gtrsim ≳ lessgtr ≶ approxeq ≊ bowtie ⋈ frown ⌢ smile ⌣ to → rightarrow → leftarrow ← gets ← leftrightarrow ↔
    Rightarrow ⇒ Leftarrow ⇐ Leftrightarrow ⇔ implies ⟹ impliedby ⟸ iff ⟺ longrightarrow ⟶ longleftarrow ⟵
    longleftrightarrow ⟷ Longrightarrow ⟹ Longleftarrow ⟸ Longleftrightarrow ⟺ mapsto ↦ longmapsto ⟼ uparrow ↑
    downarrow ↓ updownarrow ↕ Uparrow ⇑ Downarrow ⇓ nearrow ↗ searrow ↘ swarrow ↙ nwarrow ↖ hookrightarrow ↪
    hookleftarrow ↩ rightharpoonup ⇀ rightharpoondown ⇁ leftharpoonup ↼ leftharpoondown ↽ rightleftharpoons ⇌
    twoheadrightarrow ↠ rightrightarrows ⇉ leadsto ⇝ rightsquigarrow ⇝ nrightarrow ↛ nRightarrow ⇏ trianglelefteq ⊴
    vartriangleleft ⊲ lhd ⊲ unlhd ⊴ colon : vcentcolon : backsim ∽ thicksim ∼ thickapprox ≈ ngeq ≱ nleq ≰ nless ≮
    ngtr ≯ therefore ∴ because ∵ curvearrowright ↷ circlearrowright ↻
    """
)
OPERATORS: Final = _names(  # with their bounds above and below
    """
    sum ∑ prod ∏ coprod ∐ bigcup ⋃ bigcap ⋂ bigoplus ⨁ bigotimes ⨂ bigodot ⨀ bigsqcup ⨆ bigvee ⋁ bigwedge ⋀ biguplus ⨄
    """
)
INTEGRALS: Final = _names("int ∫ iint ∬ iiint ∭ oint ∮ oiint ∯ smallint ∫ intop ∫")
WORDS: Final = _words(
    """arccos arcsin arctan arccot arcsec arccsc arg cos cosh cot coth csc deg dim exp hom ker lg ln log sec sech sin
    sinh tan tanh tg ctg erf sgn lcm rank tr"""
)
LIMIT_WORDS: Final = {word: word for word in _words("lim max min sup inf gcd det Pr argmax argmin")} | {
    "limsup": "lim sup",
    "liminf": "lim inf",
    "injlim": "inj lim",
    "projlim": "proj lim",
}
# \operatorname{…} that TeX users write with bounds below it
BOUNDED_WORDS: Final = frozenset(["argmax", "argmin", "arg max", "arg min", "lim", "max", "min", "sup", "inf", "colim"])
DELIMITERS: Final = {
    "(": "(",
    ")": ")",
    "[": "[",
    "]": "]",
    "|": "|",
    "/": "/",
    ".": "",
    "<": "⟨",
    ">": "⟩",
    "\\{": "{",
    "\\}": "}",
    "\\|": "‖",
    "\\lbrace": "{",
    "\\rbrace": "}",
    "\\lbrack": "[",
    "\\rbrack": "]",
    "\\langle": "⟨",
    "\\rangle": "⟩",
    "\\lfloor": "⌊",
    "\\rfloor": "⌋",
    "\\lceil": "⌈",
    "\\rceil": "⌉",
    "\\vert": "|",
    "\\lvert": "|",
    "\\rvert": "|",
    "\\Vert": "‖",
    "\\lVert": "‖",
    "\\rVert": "‖",
    "\\backslash": "\\",
    "\\uparrow": "↑",
    "\\downarrow": "↓",
    "\\ulcorner": "⌜",
    "\\urcorner": "⌝",
}
OPENING: Final = frozenset("([{⟨⌊⌈⌜")
CLOSING: Final = frozenset(")]}⟩⌋⌉⌝")
# The top, the middle, the bottom, and what lies between, of delimiters that grow.
PIECES: Final = {
    "(": "⎛⎜⎝⎜",
    ")": "⎞⎟⎠⎟",
    "[": "⎡⎢⎣⎢",
    "]": "⎤⎥⎦⎥",
    "{": "⎧⎨⎩⎪",
    "}": "⎫⎬⎭⎪",
    "|": "││││",
    "‖": "‖‖‖‖",
    "⌊": "⎢⎢⎣⎢",
    "⌋": "⎥⎥⎦⎥",
    "⌈": "⎡⎢⎢⎢",
    "⌉": "⎤⎥⎥⎥",
}

ACCENTS: Final = {  # combining characters
    "hat": "\u0302",
    "widehat": "\u0302",
    "tilde": "\u0303",
    "widetilde": "\u0303",
    "bar": "\u0304",
    "overline": "\u0305",
    "vec": "\u20d7",
    "overrightarrow": "\u20d7",
    "overleftarrow": "\u20d6",
    "overleftrightarrow": "\u20e1",
    "dot": "\u0307",
    "ddot": "\u0308",
    "dddot": "\u20db",
    "check": "\u030c",
    "breve": "\u0306",
    "acute": "\u0301",
    "grave": "\u0300",
    "mathring": "\u030a",
    "underline": "\u0332",
    "cancel": "\u0338",
    "bcancel": "\u20e5",
    "xcancel": "\u0338",
    "sout": "\u0336",
}
SPACES: Final = {
    ",": 1,
    ":": 1,
    ">": 1,
    ";": 1,
    " ": 1,
    "\n": 1,
    "thinspace": 1,
    "medspace": 1,
    "thickspace": 1,
    "space": 1,
    "enspace": 1,
    "quad": 2,
    "qquad": 4,
    "!": 0,
    "negthinspace": 0,
}
# Commands that change nothing here: sizes, styles, numbers of equations.
SILENT: Final = _words(
    """displaystyle textstyle scriptstyle scriptscriptstyle nonumber notag left. right. allowbreak
    nobreak relax normalsize large Large small footnotesize centering noindent par rm bf it boldmath mathstrut strut
    hfill"""
)
# Commands that show their argument as it is.
PLAIN: Final = _words(
    """mathrm mathbf mathit mathsf mathtt mathnormal boldsymbol bm pmb mathord mathop mathbin mathrel mathopen mathclose
    mathpunct mathinner smash ensuremath displaylimits rlap llap mathclap mathrlap mathllap bold"""
)
TEXTS: Final = _words("text textbf textit textrm textsf texttt textnormal textup emph mbox hbox textsc textmd textsl")
UNSEEN: Final = frozenset(["label", "hspace", "vspace", "hspace*", "vspace*", "color", "vphantom", "ref"])

_HIGH = "0⁰1¹2²3³4⁴5⁵6⁶7⁷8⁸9⁹+⁺-⁻−⁻=⁼(⁽)⁾aᵃbᵇcᶜdᵈeᵉfᶠgᵍhʰiⁱjʲkᵏlˡmᵐnⁿoᵒpᵖrʳsˢtᵗuᵘvᵛwʷxˣyʸzᶻ"
_HIGH += "AᴬBᴮDᴰEᴱGᴳHᴴIᴵJᴶKᴷLᴸMᴹNᴺOᴼPᴾRᴿTᵀUᵁVⱽWᵂβᵝγᵞδᵟθᶿφᵠχᵡ⊤ᵀ°°∘°′′″″‴‴"
_LOW = "0₀1₁2₂3₃4₄5₅6₆7₇8₈9₉+₊-₋−₋=₌(₍)₎aₐeₑhₕiᵢjⱼkₖlₗmₘnₙoₒpₚrᵣsₛtₜuᵤvᵥxₓβᵦγᵧρᵨφᵩχᵪ,,"
RAISED: Final = dict(zip(_HIGH[::2], _HIGH[1::2], strict=True)) | {"∗": "*", "*": "*", "†": "†"}
LOWERED: Final = dict(zip(_LOW[::2], _LOW[1::2], strict=True))
NEGATED: Final = {"∃": "∄", "∈": "∉", "∋": "∌", "∣": "∤", "|": "∤"}

_BLACKBOARD = dict(zip("CHNPQRZ", "ℂℍℕℙℚℝℤ", strict=True))
_SCRIPT = dict(zip("BEFHILMR", "ℬℰℱℋℐℒℳℛ", strict=True)) | dict(zip("ego", "ℯℊℴ", strict=True))
_FRAKTUR = dict(zip("CHIRZ", "ℭℌℑℜℨ", strict=True))
# Unicode, Mathematical Alphanumeric Symbols: the letters that are not among the older Letterlike Symbols above.
_ALPHABETS: Final = {
    "mathbb": (_BLACKBOARD, 0x1D538, 0x1D552, 0x1D7D8),
    "mathcal": (_SCRIPT, 0x1D49C, 0x1D4B6, None),
    "mathscr": (_SCRIPT, 0x1D49C, 0x1D4B6, None),
    "mathfrak": (_FRAKTUR, 0x1D504, 0x1D51E, None),
}
ALPHABETS: Final = frozenset(_ALPHABETS)


def in_alphabet(name: str, text: str) -> str:
    """Write `text` in one of the ALPHABETS; what has no letter there stays as it is."""
    known, upper, lower, digits = _ALPHABETS[name]
    found = []
    for char in text:
        if char in known:
            char = known[char]
        elif "A" <= char <= "Z":
            char = chr(upper + ord(char) - ord("A"))
        elif "a" <= char <= "z":
            char = chr(lower + ord(char) - ord("a"))
        elif "0" <= char <= "9" and digits is not None:
            char = chr(digits + ord(char) - ord("0"))
        found.append(char)
    return "".join(found)


def negated(char: str) -> str:
    """Strike a relation through."""
    return NEGATED.get(char) or unicodedata.normalize("NFC", char + "\u0338")


def in_script(text: str, table: dict[str, str]) -> str | None:
    """Write `text` raised (RAISED) or lowered (LOWERED), or give None where a character for that is missing."""
    found = [table.get(char) for char in text]
    return "".join(char for char in found if char) if found and all(found) else None
