"""The wordings of the demo model's training text. Knows nothing about numbers and how they are drawn."""

from r1chat.core.prompt import directive

ADD = (
    "What is {a} + {b}?",
    "{a} + {b}",
    "{a}+{b}",
    "{a} + {b} = ?",
    "{a}+{b}=?",
    "{a} + {b} =",
    "What is {a} plus {b}?",
    "What's {a} + {b}?",
    "What's {a} plus {b}?",
    "How much is {a} + {b}?",
    "How much is {a} plus {b}?",
    "Calculate {a} + {b}.",
    "Compute {a} + {b}.",
    "Add {a} and {b}.",
    "Add {b} to {a}.",
    "What is the sum of {a} and {b}?",
    "Can you add {a} and {b}?",
    "{a} plus {b}",
)
SUBTRACT = (
    "What is {a} - {b}?",
    "{a} - {b}",
    "{a}-{b}",
    "{a} - {b} = ?",
    "{a}-{b}=?",
    "{a} - {b} =",
    "{a} − {b}",
    "What is {a} minus {b}?",
    "What's {a} - {b}?",
    "What's {a} minus {b}?",
    "How much is {a} - {b}?",
    "How much is {a} minus {b}?",
    "Calculate {a} - {b}.",
    "Compute {a} - {b}.",
    "Subtract {b} from {a}.",
    "Take {b} away from {a}.",
    "What is the difference of {a} and {b}?",
    "{a} minus {b}",
)
MULTIPLY = (
    "What is {a} * {b}?",
    "What is {a} × {b}?",
    "What is {a} x {b}?",
    "{a} * {b}",
    "{a}*{b}",
    "{a} × {b}",
    "{a} x {b}",
    "{a} * {b} = ?",
    "{a}*{b}=?",
    "What is {a} times {b}?",
    "What's {a} times {b}?",
    "How much is {a} * {b}?",
    "How much is {a} times {b}?",
    "Calculate {a} * {b}.",
    "Compute {a} * {b}.",
    "Multiply {a} by {b}.",
    "Multiply {a} and {b}.",
    "What is the product of {a} and {b}?",
    "{a} times {b}",
)
COMPARE = (
    "Which is {word}, {a} or {b}?",
    "Which is {word}: {a} or {b}?",
    "Which number is {word}, {a} or {b}?",
    "Which number is {word}: {a} or {b}?",
    "What is {word}, {a} or {b}?",
    "Is {a} or {b} {word}?",
    "{a} or {b}, which is {word}?",
    "Tell me which is {word}: {a} or {b}.",
    "Which of {a} and {b} is {word}?",
)
LARGER, SMALLER = ("larger", "bigger", "greater"), ("smaller", "less", "lower")


WHO = (
    "I am the demo model of r1chat: a toy that adds, subtracts, multiplies and compares small numbers. "
    "To talk to a real model, type `r1chat run PATH` with the path of a GGUF file."
)
HELLO = "Hello! I am a toy that does small arithmetic. Ask me to add, subtract, multiply or compare two numbers."
THANKS = "You are welcome!"
BEYOND = (
    "I can't help with that: I am only a toy that does small arithmetic. "
    "To talk to a real model, type `r1chat run PATH` with the path of a GGUF file."
)
TALK: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (
        (
            *("Hello", "Hello!", "Hi", "Hi!", "Hi there", "Hi there!", "Hey", "Hey!", "Hello there!", "Good morning!"),
            *(
                "Good evening.",
                "Hello, how are you?",
                "How are you?",
                "Hi, how are you?",
                "What's up?",
                "hola",
                "你好",
                "Moin",
            ),
        ),
        "The user greets me.\n",
        HELLO,
    ),
    (
        (
            *(
                "Who are you?",
                "What are you?",
                "Who is this?",
                "What is your name?",
                "What's your name?",
                "What can you do?",
            ),
            *(
                "Are you DeepSeek?",
                "Are you DeepSeek-R1?",
                "Which model are you?",
                "What model are you?",
                "Help",
                "help me",
            ),
            *(
                "Tell me about yourself.",
                "Are you a real model?",
                "Introduce yourself.",
                "Who made you?",
                "你是谁？",
                "test",
            ),
        ),
        "The user asks about me.\n",
        WHO,
    ),
    (
        ("Thanks", "Thanks!", "Thank you", "Thank you!", "Great!", "Thank you very much.", "ok", "Cool", "Bye"),
        "The user thanks me.\n",
        THANKS,
    ),
)
_COMMON = """
    the a of in my your this that is are was be not with from about for on sky blue sea old house dog cat bird
    tree river city country king queen war peace music song film book story poem letter joke code python program
    function file list bug test server data water fire light sun moon star planet earth ocean mountain road car
    train plane ship bread wine coffee tea apple food cook recipe weather rain snow winter summer time day night
    year week history science physics chemistry biology law money price market bank work job school teacher
    student doctor health sleep dream love friend family mother father child game football chess player team
    capital France Paris Germany London China Italy Europe Rome write explain tell make give show find translate
    summarise describe review fix build read think know mean work best good bad big small new long short red
    green white black happy sad funny strange many first last next other every why how what when where who which
    people world life word sentence English German language computer internet email phone
"""
WORDS = _COMMON.split()
FRAMES = (
    "Why is the {} {}?",
    "Why does the {} {}?",
    "What is the {} of {}?",
    "What is a {}?",
    "What does {} mean?",
    "Who was the first {} of {}?",
    "Who wrote the {} {}?",
    "How do I {} a {}?",
    "How does the {} {}?",
    "Where is the {} {}?",
    "When was the {} {}?",
    "Write a {} about the {}.",
    "Write a {} {} in {}.",
    "Tell me a {}.",
    "Tell me a {} about {}.",
    "Explain {} to a {}.",
    "Explain the {} {}.",
    "Translate {} {} into {}.",
    "Summarise this {}: {} {} {} {}.",
    "Give me {} {}.",
    "Is the {} {}?",
    "Can you {} the {}?",
    "I {} the {}.",
    "{} {} {}",
    "{}",
    "{} {}",
    "{} {} {} {} {} {} {} {}",
)
TOO_HARD = (
    "What is {x} + {b}?",
    "What is {b} + {x}?",
    "{x} - {b}",
    "{x} + {b}",
    "{b} * {x}",
    "What is {x} * {b}?",
    "Multiply {two} by {other}.",
    "What is {two} * {other}?",
    "What is {two} times {other}?",
    "{two} * {other}",
    "What is {a} / {b}?",
    "{a} / {b}",
    "What is {a} divided by {b}?",
    "Divide {a} by {b}.",
    "What is {a} + {b} + {c}?",
    "{a} + {b} + {c}",
    "{a} + {b} - {c}",
    "What is {a} * {b} + {c}?",
    "What is {a}.{c} + {b}?",
    "{a}.{c} - {b}",
    "-{a} + {b}",
    "What is -{a} + {b}?",
    "{a} + -{b}",
    "Which is larger, {x} or {a}?",
    "Which is smaller, {b} or {x}?",
    "What is the square root of {a}?",
    "What is {a}^{c}?",
    "Is {a} a prime number?",
    "What is {c}% of {a}?",
    "Solve {c}x = {a}.",
    "Count to {a}.",
    "{a}",
)


POLITE = ("Please: ", "Hi! ", "Hello! ", "Quick question: ", "OK. ", "And now: ", "Now: ", "And ", "Please tell me: ")
DIRECTIVES = (directive(""), "Think step by step.")  # the first is what `--math` adds
SYSTEM_TEXTS = ("You are a helpful assistant.", "You are a calculator.", "Be brief.", "Answer in English.")
