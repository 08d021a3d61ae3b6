"""Answers as R1 writes them, for tests of what a screen makes of them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a model says in one turn."""

    name: str
    thinking: str
    answer: str

    @property
    def raw(self) -> str:
        """The text as the model's tokens spell it, after the opening tag of the prompt."""
        return f"{self.thinking}</think>{self.answer}"


CODE = Spoken(
    "code",
    """
Okay, the user wants quicksort in Python and in C. Let me recall the partition step, and think about equal keys first.

Wait, the naive version with `arr[0]` as the pivot is quadratic on sorted input. So take the middle one.
Hmm, should I mention `sorted()`? Yes, in a sentence at the end.
""",
    """

Here is **quicksort** in Python:

```python
def quicksort(items: list[int]) -> list[int]:
    \"\"\"Sort a list; the middle element is the pivot.\"\"\"
    if len(items) <= 1:
        return items
    pivot = items[len(items) // 2]

    left = [x for x in items if x < pivot]
    middle = [x for x in items if x == pivot]
    right = [x for x in items if x > pivot]
    return quicksort(left) + middle + quicksort(right)  # a rather long comment, so that this line is wider than most


print(quicksort([3, 6, 1, 8, 2, 9, 2]))  # [1, 2, 2, 3, 6, 8, 9]
```

And the partition in C, which works *in place*:

~~~c
static int partition(int *a, int low, int high)
{
	int pivot = a[high];
	for (int j = low; j < high; j++) { /* ``` is no fence here */ }
	return low;
}
~~~

### How it works

1. **Choose a pivot**, here `items[len(items) // 2]`.
2. **Split** the rest:
   - smaller ones to the left,
   - larger ones to the right:
     ```sh
     $ python quicksort.py | head -n 1
     ```
   - equal ones in the middle.
3. **Recurse** on both sides.

> **Note:** for real work use `sorted()`, which is *Timsort* and never quadratic.
> See [the documentation](https://docs.python.org/3/library/functions.html#sorted) or <https://en.wikipedia.org/wiki/Timsort>.

---

The average cost is O(n log n), the worst O(n^2).
""",
)

MATHEMATICS = Spoken(
    "mathematics",
    r"""
We need to find all real x with x^2 - 5x + 6 = 0. The discriminant is 25 - 24 = 1, so x = (5 ± 1)/2, that is 2 or 3.
Let me double-check: 4 - 10 + 6 = 0. Yes. And 9 - 15 + 6 = 0. Yes.
""",
    r"""
To solve the equation \( x^2 - 5x + 6 = 0 \), use the quadratic formula:

\[
x = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}
\]

**Step 1: Identify the coefficients**

- \( a = 1 \)
- \( b = -5 \), which is *negative*
- \( c = 6 \)

**Step 2: Substitute**

$$
\begin{aligned}
x &= \frac{5 \pm \sqrt{25 - 24}}{2} \\
  &= \frac{5 \pm 1}{2}
\end{aligned}
$$

So $x_1 = 3$ and $x_2 = 2$; their sum is $\sum_{i=1}^{2} x_i = 5$. It costs $5 or $10 to print this on paper.

| root | value | check |
|:-----|:-----:|------:|
| $x_1$ | 3 | $9 - 15 + 6 = 0$ |
| $x_2$ | 2 | $4 - 10 + 6 = 0$ |

\[ \boxed{x = 2 \text{ or } x = 3} \]
""",
)

SCRIPTS = Spoken(
    "scripts",
    """
用户想知道天空为什么是蓝色的。我需要用中文简单地解释瑞利散射，同时给出日文和韩文的对照，可能还要加上表情符号🙂。

等等，波长越短散射越强，所以紫色应该更强，但是人眼对紫色不敏感，而且阳光中紫色较少。
""",
    """
天空呈现**蓝色**，主要是因为*瑞利散射*：短波长的光比长波长的光散射得更强烈，因此蓝光被空气分子向四面八方散射开来，无论你向哪个方向看，都会有蓝光进入你的眼睛。

1. 日本語：空が青いのは、レイリー散乱のためです。短い波長の光ほど強く散乱されるので、青い光が空全体に広がります。
2. 한국어: 하늘이 파란 이유는 레일리 산란 때문입니다. 파장이 짧을수록 더 강하게 산란됩니다.
3. Combining: Cafe\u0301, A\u030angstro\u0308m, n\u0303, and Ελληνικά, Русский, עברית, ไทย.
4. Emoji: 👍 ok, ❤️ heart, ✅ done, 🇩🇪 flag, 1️⃣ key.

| 颜色 | 波长 (nm) | 散射 |
|:-----|----------:|:----:|
| 红 🔴 | 700 | 弱 |
| 蓝 🔵 | 450 | **强** |
| 紫 | 400 | 更强，但人眼对它不敏感，而且阳光中也较少，所以我们看不到紫色的天空 |

> 引用：“天之苍苍，其正色邪？其远而无所至极邪？”——《庄子·逍遥游》
""",
)

LISTS = Spoken(
    "lists",
    """
The user asks for a comparison. I'll structure it: overview, a list with nested points, a table with long cells.
""",
    """
# Overview

Both are *good*; which one is **better** depends on what you do, on how much memory there is, and on a few more things \
that this paragraph goes on about at some length, so that at forty columns it takes far more than a third of a screen \
of twenty-four rows, and has to leave row by row while it is still being written, which is the hard case: a word like \
`code`, a [link](https://example.org/a/rather/long/path?with=a&query=too), or ~~struck~~ text may be at any place in \
it, an open * star or an under_score too, and none of them may be printed twice, or be lost, or change afterwards.

## Details

* First level
    * Second level, four blanks deep, with a long text that has to be broken at narrow widths, of course
        * Third level
    * Second again
* Another one

  with a second paragraph of its own.

* A last one
  - [x] with a task
  - [ ] and another

| Property | First | Second |
|---|---|---|
| Speed | fast, because everything is kept in memory and nothing is ever written to the disk | slow |
| Size | small | large, as it keeps every version of everything, with an index for each of them |
| Pipe | a \\| b | `c` |

> Quoted text
> on two lines
>
> - with a list
> - in it

Term: **bold *and italic* text**, `a | b`, 5 * 3 * 2, snake_case_name, <b>html</b> &amp; an entity.\\
A hard break above this line.
""",
)

ALL = (CODE, MATHEMATICS, SCRIPTS, LISTS)
