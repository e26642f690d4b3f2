"""The words of a report, in English and in Traditional Chinese."""

from __future__ import annotations

__all__ = ["LANGUAGES", "MISTAKES", "NOTES", "WORDS"]

LANGUAGES = ("en", "zh-TW")


def by_language(texts: dict[str, tuple[str, str]]) -> dict[str, dict[str, str]]:
    """Return the texts of each language by their keys."""
    return {language: {key: pair[k] for key, pair in texts.items()} for k, language in enumerate(LANGUAGES)}


# What is wrong: {right} should stand there, {wrong} does
MISTAKES = by_language(
    {
        "factor missing": ("missing {right}", "少乘了 {right}"),
        "twice": ("{right} is multiplied in once too often, and should not be", "{right} 多乘了一次"),
        "wrong derivative": ("the derivative {right} is computed wrongly", "導數 {right} 算錯了"),
        "argument of the derivative": ("the derivative is taken at {wrong} and not at {right}", "導數代入了 {wrong}，應該代入 {right}"),
        "z for a": ("{wrong} is used for {right}", "該用 {right} 的地方用了 {wrong}"),
        "layers swapped": ("layers swapped: {wrong} stands where {right} should", "層弄錯了：該用 {right} 的地方用了 {wrong}"),
        "other value": ("{wrong} stands where {right} should", "該用 {right} 的地方用了 {wrong}"),
        "transpose": ("wrong transpose: the equation has {right}", "轉置錯了：式子裡是 {right}"),
        "order": ("the factors of the matrix product stand in the wrong order: {right}", "矩陣乘法的順序錯了：{right}"),
        "entry by entry": ("multiplied entry by entry; {right} is a matrix product", "這裡逐項相乘了；{right} 是矩陣乘法"),
        "axis": ("summed over {wrong}, not over {right}", "沿{wrong}加總了，應該沿{right}"),
        "not summed": ("not summed: {right}", "沒有加總：{right}"),
        "term missing": ("missing the term {right}", "少了 {right} 這一項"),
        "sign of a term": ("wrong sign of {wrong} in {right}", "{right} 裡 {wrong} 的正負號錯了"),
        "sign": ("wrong sign", "正負號錯了"),
        "1/N missing": ("missing 1/N (N = {right})", "少除以 N（N = {right}）"),
        "1/N twice": ("divided by N = {right} once too often", "多除了一次 N = {right}"),
        "scale": ("off by a factor of {right}", "差了 {right} 倍"),
        "update first": (
            "{right} is used after its update: the gradient needs its value from before (update before gradient)",
            "{right} 用的是更新後的值：算梯度要用更新前的值（先更新才算梯度）",
        ),
        "surplus term": ("{wrong} is added, and should not be", "多加了 {wrong}"),
        "surplus sum": ("summed, where {right} should stay as it is", "不該加總：應該是 {right}"),
        "surplus line": ("{right} is overwritten here, and should not be: leave this line out", "這一行不該有：{right} 在這裡被覆寫了"),
        "not reset": (
            "{right} is added to, and still holds what it had before: it has to begin anew",
            "{right} 是累加的，還留著之前的值：應該重新開始",
        ),
        "function missing": ("a function is missing: {right}", "少套用了函式：{right}"),
        "stale": ("stale: {right} is that of the step before", "{right} 是上一步的舊值"),
        "missing": ("{right} is not computed, or not used", "沒有算 {right}，或算了沒有用"),
        "crash": ("the code stops here: {wrong}", "程式停在這裡：{wrong}"),
        "time": ("the code does not end: {right}", "程式沒有結束：{right}"),
        "unknown": ("this is not what the equation gives", "這不是式子的結果"),
    }
)

# What the data hide
NOTES = by_language(
    {
        "one row": (
            "On a batch of one row a missing 1/N and sums over the wrong axis cannot be seen.",
            "只有一筆資料時，少除以 N 或加總方向錯誤都看不出來。",
        ),
        "two rows": ("On a batch of two rows a factor 2 and N cannot be told apart.", "只有兩筆資料時，分不出倍數 2 和 N。"),
        "zero data": (
            "Some of the data are zero: what is added to them or taken from them cannot be seen.",
            "有些資料全是零：加減它們看不出來。",
        ),
        "symmetric": ("{0} is symmetric: a missing transpose of it cannot be seen.", "{0} 是對稱矩陣：少了轉置也看不出來。"),
        "equal": ("{0} and {1} are equal: they cannot be told apart.", "{0} 和 {1} 相等：分不出用了哪一個。"),
        "zero": (
            "{0} is zero on these data: whatever it is multiplied with cannot be seen.",
            "在這些資料上 {0} 是零：乘上什麼都看不出來。",
        ),
        "better": ("So the code was run on other data too, drawn at random.", "因此也用隨機產生的其他資料執行了一次。"),
        "no better": (
            "Other data could not be drawn, or the code does not run on them: what is said here holds for these data alone.",
            "無法產生其他資料，或程式無法在其他資料上執行：以下結果只對這些資料成立。",
        ),
        "rate": (
            "The rate of learning is not known from outside: a factor that all updates share cannot be seen.",
            "學習率無法從外部得知：所有更新共有的倍數看不出來。",
        ),
    }
)

WORDS = by_language(
    {
        "right": ("Right: every gradient is the engine's.", "正確：每個梯度都和引擎的相同。"),
        "wrong": ("Line {0}: {1}", "第 {0} 行：{1}"),
        "nowhere": ("No line: {0}", "沒有這一行：{0}"),
        "equation": ("the equation: {0}", "正確的式子：{0}"),
        "step": ("(seen in step {0})", "（第 {0} 步才出現）"),
        "points": ("{0} of {1} equations are right", "{1} 個式子中有 {0} 個正確"),
        "lines": ("Line by line", "逐行說明"),
        "marks": ("Equation by equation", "逐式評分"),
        "is": ("is {0}", "就是 {0}"),
        "times": ("is {0} times {1}", "是 {1} 的 {0} 倍"),
        "follows": ("right, but for the mistake before it", "除了前面的錯誤之外正確"),
        "wrong here": ("wrong", "錯誤"),
        "verdict right": ("right", "正確"),
        "verdict wrong": ("wrong", "錯誤"),
        "verdict follows": ("right, after the mistake before it", "除了前面的錯誤之外正確"),
        "verdict missing": ("missing", "沒有"),
        "transposed": ("transposed", "轉置"),
        "row": ("one row of it", "其中一列"),
        "axis": ("axis {0}", "第 {0} 軸"),
        "all": ("all axes", "所有的軸"),
        "traceback": ("What the code raised", "程式的錯誤訊息"),
        "line": ("line", "行"),
        "code": ("code", "程式"),
        "what": ("what it is", "這是什麼"),
        "class": ("Backpropagation by hand: the marks of a class", "手寫反向傳播：全班成績"),
        "name": ("name", "姓名"),
        "sum": ("marks", "得分"),
        "first": ("first mistake", "第一個錯誤"),
        "none": ("none", "沒有"),
        "ungraded": ("not graded", "無法評分"),
        "too long": ("the file does not end within {0:g} seconds", "程式在 {0:g} 秒內沒有結束"),
        "ended": ("the file ended the process", "程式結束了行程"),
        "nothing": (
            "the file defines neither a function nor a class to grade: none named {0}",
            "檔案裡沒有可以評分的函式或類別：沒有任何一個叫 {0}",
        ),
        "no example": (
            "a function needs an example to be called with: give --teacher FILE, or define example in the file",
            "函式需要一組範例引數：用 --teacher FILE 給，或在檔案裡定義 example",
        ),
    }
)
