"""The wordings of the demo model's sums. Knows nothing about numbers and how they are drawn.

A question is an expression or a noun put into a frame, or a sentence of its own: some hundred wordings an operation.
"""

from r1chat.core.prompt import directive

# What can stand around "17 + 25" and "17 plus 25" ...
EXPRESSION_FRAMES = (
    "{e}",
    "{e}?",
    "{e} =",
    "{e}=",
    "{e} = ?",
    "{e}=?",
    "{e} is?",
    "{e}, please.",
    "What is {e}?",
    "What is {e} equal to?",
    "What is {e} =",
    "What's {e}?",
    "What does {e} make?",
    "What does {e} equal?",
    "What do you get for {e}?",
    "What number is {e}?",
    "How much is {e}?",
    "How much does {e} make?",
    "Calculate {e}.",
    "Calculate: {e}",
    "Compute {e}.",
    "Compute: {e}",
    "Evaluate {e}.",
    "Work out {e}.",
    "Solve {e}.",
    "Solve: {e}",
    "Find {e}.",
    "Tell me {e}.",
    "Tell me what {e} is.",
    "Do you know what {e} is?",
    "Can you calculate {e}?",
    "Can you tell me what {e} is?",
    "Could you work out {e} for me?",
    "I want to know {e}.",
    "I need to know what {e} is.",
    "What is the result of {e}?",
    "What is the value of {e}?",
    "What is the answer to {e}?",
    "Give me the result of {e}.",
    "Let's do {e}.",
    "So what is {e}?",
    "({e})",
)
# ... and around "the sum of 17 and 25".
NOUN_FRAMES = (
    "What is {e}?",
    "What's {e}?",
    "Calculate {e}.",
    "Compute {e}.",
    "Find {e}.",
    "Give me {e}.",
    "Tell me {e}.",
    "Work out {e}.",
    "I need {e}.",
    "Can you find {e}?",
    "Do you know {e}?",
    "How much is {e}?",
    "{e}",
    "{e}?",
)
ADD_EXPRESSIONS = (
    *("{a} + {b}", "{a}+{b}", "{a} +{b}", "{a}+ {b}"),
    *("{a} plus {b}", "{a} and {b} together", "{a} added to {b}"),
)
ADD_NOUNS = (
    "the sum of {a} and {b}",
    "the total of {a} and {b}",
    "sum of {a} and {b}",
    "the sum {a} + {b}",
    "{b} more than {a}",
)
ADD_SENTENCES = (
    "Add {a} and {b}.",
    "Add {b} to {a}.",
    "Add {a} to {b}.",
    "Add up {a} and {b}.",
    "Add {a} + {b}.",
    "Sum {a} and {b}.",
    "Sum up {a} and {b}.",
    "Can you add {a} and {b}?",
    "Can you add {b} to {a}?",
    "Put {a} and {b} together.",
    "What do {a} and {b} make?",
    "What do {a} and {b} add up to?",
    "What is {a} if you add {b}?",
    "What do I get if I add {a} and {b}?",
    "If I add {b} to {a}, what do I get?",
    "Increase {a} by {b}.",
)
SUBTRACT_EXPRESSIONS = (
    *("{a} - {b}", "{a}-{b}", "{a} -{b}", "{a}- {b}", "{a} − {b}", "{a}−{b}", "{a} – {b}"),
    *("{a} minus {b}", "{a} less {b}"),
)
SUBTRACT_NOUNS = (
    "the difference of {a} and {b}",
    "the difference between {a} and {b}",
    "difference of {a} and {b}",
    "the difference {a} - {b}",
    "{b} less than {a}",
)
SUBTRACT_SENTENCES = (
    "Subtract {b} from {a}.",
    "Can you subtract {b} from {a}?",
    "Take {b} away from {a}.",
    "Take {b} from {a}.",
    "Take away {b} from {a}.",
    "Deduct {b} from {a}.",
    "Decrease {a} by {b}.",
    "What is left of {a} if you take away {b}?",
    "What is {a} if you take away {b}?",
    "What do I get if I subtract {b} from {a}?",
    "If I take {b} from {a}, what is left?",
)
MULTIPLY_EXPRESSIONS = (
    *("{a} * {b}", "{a}*{b}", "{a} × {b}", "{a}×{b}", "{a} x {b}", "{a}x{b}", "{a} X {b}", "{a} · {b}"),
    *("{a} times {b}", "{a} multiplied by {b}"),
)
MULTIPLY_NOUNS = (
    "the product of {a} and {b}",
    "product of {a} and {b}",
    "the product {a} * {b}",
)
MULTIPLY_SENTENCES = (
    "Multiply {a} by {b}.",
    "Multiply {a} and {b}.",
    "Multiply {a} with {b}.",
    "Multiply {a} * {b}.",
    "Can you multiply {a} by {b}?",
    "Can you multiply {a} and {b}?",
    "What do I get if I multiply {a} by {b}?",
    "If I multiply {a} by {b}, what do I get?",
    "What do {a} and {b} multiply to?",
)

LARGER, SMALLER = ("larger", "bigger", "greater", "higher"), ("smaller", "less", "lower")
LARGEST, SMALLEST = ("largest", "biggest", "greatest"), ("smallest", "lowest")
LARGER_NOUNS, SMALLER_NOUNS = ("maximum", "larger", "bigger one", "max"), ("minimum", "smaller", "smaller one", "min")
COMPARE = (
    "Which is {word}, {a} or {b}?",
    "Which is {word}: {a} or {b}?",
    "Which one is {word}, {a} or {b}?",
    "Which number is {word}, {a} or {b}?",
    "Which number is {word}: {a} or {b}?",
    "Which is the {word} number, {a} or {b}?",
    "Which is the {word} number: {a} or {b}?",
    "What is {word}, {a} or {b}?",
    "What's {word}, {a} or {b}?",
    "What's {word}: {a} or {b}?",
    "Is {a} or {b} {word}?",
    "{a} or {b}, which is {word}?",
    "{a} or {b}: which is {word}?",
    "{a} or {b}, which one is {word}?",
    "{a} and {b}, which is {word}?",
    "Tell me which is {word}: {a} or {b}.",
    "Tell me which number is {word}, {a} or {b}.",
    "Which of {a} and {b} is {word}?",
    "Which of the numbers {a} and {b} is {word}?",
    "Find the {word} number: {a} or {b}.",
    "Can you tell which is {word}, {a} or {b}?",
)
COMPARE_MOST = (  # the same with "largest" and "smallest"
    "Which is the {word}, {a} or {b}?",
    "Which number is the {word}, {a} or {b}?",
    "Which of {a} and {b} is the {word}?",
    "What is the {word} of {a} and {b}?",
)
COMPARE_NOUNS = (
    "What is the {word} of {a} and {b}?",
    "the {word} of {a} and {b}",
    "Find the {word} of {a} and {b}.",
    "Give me the {word} of {a} and {b}.",
    "Tell me the {word} of {a} and {b}.",
)
COMPARE_PLAIN = (
    "Compare {a} and {b}.",
    "Compare {a} with {b}.",
    "{a} vs {b}",
    "Can you compare {a} and {b}?",
)  # the larger
COMPARE_YES_NO = (
    "Is {a} {word} than {b}?",
    "Is {a} really {word} than {b}?",
    "Is it true that {a} is {word} than {b}?",
    "Is the number {a} {word} than {b}?",
    "Would you say {a} is {word} than {b}?",
    "Tell me if {a} is {word} than {b}.",
)
COMPARE_SIGNS = ("{a} {sign} {b}?", "Is {a} {sign} {b}?", "{a}{sign}{b}?", "Is it true that {a} {sign} {b}?")

COUNT = (
    "How many {l}'s are in {w}?",
    "How many {l}'s are there in {w}?",
    "How many {l}'s in {w}?",
    "How many {l}'s does {w} have?",
    "How many {l}'s are in the word {w}?",
    "How many {l}'s are there in the word {w}?",
    "How many {l}’s are in {w}?",
    "How many {l}s are in {w}?",
    "How many {l}s are there in {w}?",
    "How many {l}s in {w}?",
    "How many {l}s does the word {w} have?",
    "How many {l} are in {w}?",
    "How many {l} in {w}?",
    "How many letters {l} are in {w}?",
    "How many letters {l} are there in the word {w}?",
    "How many letters {l} does {w} have?",
    "How many times does {l} appear in {w}?",
    "How many times does the letter {l} appear in {w}?",
    "How many times does the letter {l} occur in the word {w}?",
    "How many times is {l} in {w}?",
    "How many times is the letter {l} in the word {w}?",
    "How often does {l} occur in {w}?",
    "How often does the letter {l} appear in {w}?",
    "How often is the letter {l} in {w}?",
    "Count the {l}'s in {w}.",
    "Count the {l}s in {w}.",
    "Count {l} in {w}.",
    "Count the letter {l} in {w}.",
    "Count the letter {l} in the word {w}.",
    "Count the letters {l} in {w}.",
    "Count how many {l}'s are in {w}.",
    "Count how often {l} appears in {w}.",
    "Can you count the {l}'s in {w}?",
    "Tell me how many {l}'s are in {w}.",
    "Do you know how many {l}'s are in {w}?",
    "Find the number of {l}'s in {w}.",
    "What is the number of {l}'s in {w}?",
    "The number of {l}'s in {w}?",
    "number of {l} in {w}",
    "{w}: how many {l}'s?",
    "In {w}, how many {l}'s are there?",
    "In the word {w}, how many times does {l} appear?",
    "Does {w} have an {l}? How many?",
)
QUOTES = (("'", "'"), ('"', '"'), ("“", "”"), ("*", "*"), ("`", "`"))

POLITE = (
    *("Please: ", "Hi! ", "Hello! ", "Hey, ", "Quick question: ", "OK. ", "Ok, ", "And now: ", "Now: ", "And ", "So, "),
    *("Please tell me: ", "Thanks! ", "Great. ", "Good. Next: ", "Next: ", "Another one: ", "One more: ", "Question: "),
)
AFTERWORDS = (" Thanks!", " Please.", " Thank you.", " I'm curious.", " Be quick.", " Show your work.", " Explain it.")
DIRECTIVES = (directive(""), "Think step by step.", "Let's think step by step.")  # the first is what `--math` adds
SYSTEM_TEXTS = (
    "You are a helpful assistant.",
    "You are a calculator.",
    "Be brief.",
    "Answer in English.",
    "You are a friendly maths teacher.",
    "Answer shortly and correctly.",
)
