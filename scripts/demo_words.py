"""Words for the demo model's training text, and what they may do. Knows nothing about tasks.

`WORDS` are common English words, in their own right (letters are counted in them) and as filling for sentences that the
model can't answer. `made_up` draws words that nobody knows, so that spelling is learnt for any text, not by heart.
A word in which letters are counted is held out when its hash says so, one in ten.
"""

import hashlib
import random
from collections.abc import Iterable

_COMMON = """
    able about above accident account across action active actor address advice afraid after afternoon again age
    agree air airport album alone already always amazing ancient angry animal answer apple april arm army around
    arrive art artist asleep atlas atom attempt august aunt autumn avocado award away baby back bad bag bakery ball
    balloon banana band bank banner barrel basket bath beach beam bean bear beautiful because bed bee beetle before
    begin behind belief bell belong below bench berry best better between beyond bicycle big bird biscuit bitter
    black blackberry blanket blue blueberry board boat body book bookkeeper boot bottle bottom bowl box boy brain
    branch brave bread breakfast breeze brick bridge bright broccoli brother brown brush bubble bucket budget bug
    build bus butter butterfly button cabbage cable cactus cake calendar calm camel camera camp canal candle capital
    captain car carbon card career carpet carrot castle cat caterpillar cathedral ceiling cellar centre century
    chain chair champion chance change channel chapter cheap cheese cherry chess chicken child chimney chocolate
    choice church cinema circle circus city classroom clean clever client climate clock cloud coast coat coconut
    code coffee coin cold collect college colour column comet comfort committee company compare compass computer
    concert cook copper coral corner correct cotton count country courage cousin cover cow craft cream creature
    cricket crime crocodile cross crowd crown cucumber cup curious current curtain customer cycle daisy dance danger
    dark data daughter day december decide deep deer degree delicious desert design desk diamond dictionary
    difference difficult digit dinner dinosaur direction dirty discover dish distance doctor dog dollar dolphin
    donkey door double dragon drawer dream dress drink drive drum duck dust eagle early earth east easy echo economy
    edge education effort egg eight either elbow electric elephant eleven embarrass empty enemy energy engine
    engineer enough envelope equal error evening every example excellent exercise experience eye face factory fair
    fall family famous far farm farmer fast father favourite feather february feeling fence ferry festival fever few
    field fifteen film finger finish fire first fish five flag flame flavour floor flower flute fly fog folder food
    foot football forest forget fork fortune four fox free freedom freeze fresh friday friend frog front frozen
    fruit full funny furniture future galaxy game garage garden garlic gate gentle geography ghost giant ginger
    giraffe girl give glacier glass glove goal goat gold golden good goose gorilla government grammar grandfather
    grape grass gravity great green grey grocery ground group grow guitar hair half hammer hand handle happen happy
    harbour hard harvest hat hazelnut head health heart heat heaven heavy height helicopter hello helmet help hero
    hill history hobby holiday hollow home honest honey hope horizon horse hospital hotel hour house hundred hunger
    hurry ice idea illness image important inch individual information insect inside intelligence invention island
    ivory jacket january jewel joke journey judge juice july jump june jungle kangaroo kettle key keyboard kind king
    kingdom kitchen kite kitten knee knife knight knowledge label ladder lake lamp language large last laugh law
    lawyer lazy leader leaf learn leather left lemon length lesson letter lettuce level library light lightning lily
    lion liquid list little lizard long loud love lucky luggage lunch machine magic magnet mango many map maple
    march market marriage massive mathematics matter maximum meadow measure medicine melon member memory message
    metal middle midnight milk million minimum minister mirror miss mississippi mistake model modern moment monday
    money monkey monster month moon morning mosquito mother motor mountain mouse mouth much muffin museum mushroom
    music narrow nation nature necessary neck needle neighbour nephew nest never new next night nine noise noon
    north nose note nothing november number nurse oak occasion ocean occurrence october offer office often oil old
    olive onion open opera opinion orange orchestra order ordinary ostrich other oven owl oxygen package page paint
    palace pancake panda paper parallel parcel parent park parrot party passenger passport past pasta path patience
    pattern peace peach peanut pear pearl pencil penguin people pepper perfect person petal phone photo physics
    piano pickle picture piece pigeon pillow pilot pineapple pink pioneer pizza planet plastic plate platform player
    please plenty pocket poem poet polar police pond pony pool popular possession possible post potato powder power
    practice present president pretty price prince princess principle prison prize problem professor program
    programming promise pumpkin puppy purple puzzle quality quarter queen question quick quiet rabbit radio radish
    railway rain rainbow raspberry rattle reach ready reason receive recipe recommend red reference region rent
    report rescue respect rest result rhythm ribbon rice rich rider right ring river road robot rocket roof room
    root rope rose rough round rubber ruler running saddle safe sail salad salt sand sandwich saturday sauce sausage
    school science scissors screen script sea season second secret seed sentence separate september seven shadow
    shape shark sheep shelf shell sheriff ship shirt shoe shop short shoulder shower sign silence silver simple
    singer sister sketch skill skirt sky sleep slipper slow small smile smoke smooth snake snow soccer sock soft
    soil soldier sombre something son song soup south space spaghetti spare speech speed spell spelling spider
    spinach spirit spoon spring square squirrel stable stadium stage stair stamp star station stone storm story
    straight strange straw strawberry stream street strength string strong student study success sudden sugar summer
    summit sun sunday sunflower supper sweater sweet swim switch syllable system table tailor tall tangerine target
    taste taxi tea teacher team teeth telephone television temperature temple ten tennis tent terrible test text
    thank theatre theory thirteen thousand three throat thunder thursday ticket tiger time tired title toast tobacco
    today toe together tomato tomorrow tongue tool tooth top towel tower town toy traffic train travel treasure tree
    triangle trouble trousers truck true trumpet tuesday tulip tunnel turkey turtle twelve twenty two umbrella uncle
    under uniform universe university upper useful vacuum valley vanilla vegetable vehicle velvet very village
    vinegar violet violin visitor voice volcano volume voyage wagon waiter walk wall wallet walnut war warm washing
    water watermelon wave weather wedding wednesday week weight welcome west whale wheat wheel whisper whistle white
    wide wife wild wind window winter wisdom wolf woman wonder wood wool word work world worry write writer yard
    year yellow yesterday yoghurt young zebra zero zipper
"""
WORDS = tuple(_COMMON.split())
SMALL_WORDS = tuple(
    """
    the a an of in on at to for from with without by and or but not no my your his her our their this that these it is
    are was were be do does did can could will would should have has had me you him them us what when where who which
    why how all any each some most more less one first last into over about like as if than then so
    """.split()
)
PROPER_NAMES = tuple(
    """
    France Paris Germany Berlin London China Beijing Italy Rome Europe Africa America Asia India Japan Tokyo Spain
    Madrid Brazil Canada Australia Egypt Russia Poland Norway Greece Athens Einstein Newton Shakespeare Mozart
    Picasso Darwin Napoleon Python Java JavaScript Linux Windows Google Apple Wikipedia Everest Amazon Mars Venus
    Jupiter Titanic English German French Spanish Chinese Latin Anna Peter Maria Tom Alice Bob January Monday
    Christmas
    """.split()
)
_ONSETS = "b bl br c ch cl cr d dr f fl fr g gl gr h j k l m n p ph pl pr qu r s sc sh sk sl sm sn sp st str".split()
_ONSETS += "sw t th tr tw v w wh y z".split() + [""] * 4
_VOWELS = "a a a e e e i i o o u ai au ea ee ei ie io oa oo ou ue y".split()
_CODAS = "b ck d ff g l ll ld m mp n nd ng nt p r rd rk rr rt s ss st t tt th x".split() + [""] * 14
ENDINGS = tuple("ing ed er ly ness ment able tion ful ist ism ation ity ous al ry".split())


def held_out(word: str) -> bool:
    """Whether questions about the letters of this word are kept for the score: one word in ten, by its hash."""
    return hashlib.sha256(word.lower().encode()).digest()[0] % 10 == 0


def pieces(tokens: Iterable[str]) -> list[str]:
    """Of a byte-level vocabulary, the tokens that are words or parts of words, in alphabetical order."""
    bare = {token.removeprefix("Ġ") for token in tokens}  # Ġ is that alphabet's blank
    return sorted(token for token in bare if len(token) > 1 and token.isascii() and token.isalpha())


def made_up(rng: random.Random) -> str:
    """A word of English sound that means nothing; one in five is letters in any order."""
    if rng.random() < 0.2:
        return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz") for _ in range(rng.randint(2, 9)))
    syllables = (
        rng.choice(_ONSETS) + rng.choice(_VOWELS) + rng.choice(_CODAS) for _ in range(rng.choice((1, 2, 2, 2, 3, 3)))
    )
    return "".join(syllables) + rng.choice(ENDINGS + ("",) * 24)
