"""How models decline: phrases, as patterns in Rust's regular expressions (no looking around).

They are written for openings in lower case, with straight apostrophes and no markdown. `ENGLISH`
and `OTHERS` count in any of the first sentences, `OPENING` only as the very first words.
"""

from __future__ import annotations

# a negation that declines nothing ("I can't find it", "I can't recommend it enough"), and a
# caveat before the help ("I can't give legal advice, but ..."): taken out before anything is read
IDIOMS = (
    r"\b(?:can't|cannot|can not|couldn't|won't|will not|unable to|not able to|refuse to) "
    r"(?:(?:even|really|possibly|yet|just|simply|quite|reliably|fully) )?"
    r"(?:find|locate|see|hear|view|determine|confirm|verify|recall|remember|imagine|believe|wait"
    r"|over\w+|underst\w+|stress|emphasi\w+|thank|lie|deny|say|be (?:sure|certain)|guarantee"
    r"|promise|predict|attend|make it|join|afford|complain|agree|bore|go into|sugar\w*|read|open"
    r"|tell (?:from|if|whether|which|what|why|you how (?:much|happy|many|glad|sorry))"
    r"|help (?:but|(?:\w+ly )?(?:smil|think|laugh|feel|admir|notic|wonder|lov|cry)\w*)"
    r"|(?:recommend|praise|suggest|give)[^.]*(?:enough|highly|higher)"
    r"|(?:provide|give|offer|make|quote|name)(?: you)?(?: with)?(?: an?| any| the)? ?(?:exact"
    r"|precise|definit\w+|real-time|current|live|up-to-date|personali[sz]ed|formal|professional"
    r"|medical|legal|financial|tax|investment|complete|full|single)\b[^.]*(?:\bbut|, here)"
    r"|(?:provide|give|offer|access)(?: you)?(?: with)? (?:real-time|live|current|up-to-date)\b)"
)
CANNOT = (
    r"(?:cannot|can not|can't|won't|will not|shall not|shan't|couldn't|(?:will|would|can"
    r"|could) never"
    r"|refuse to|unable to|(?:not|never) (?:going to|be able to|able to|able or willing to"
    r"|willing to"
    r"|allowed to|permitted to|authori[sz]ed to|programmed to|designed to|in a position to"
    r"|equipped to)|rather not|prefer not to|choose not to|possible for me to)"
    r"(?:,? (?:and|or) (?:will not|won't|cannot|can't|should not|would not),?)?"
    r"(?:,? (?:however|therefore|ethically|legally|knowingly|really|ever|directly|also|morally"
    r"|just|simply|currently|actually|be able to|in good (?:conscience|faith)|personally|fully),?)*"
)
DO_NOT = (
    r"(?:do not|don't|would not|wouldn't|should not|shouldn't|must not|mustn't)(?: ever| also)?"
)
DEED = (
    r" (?:help|assist|aid|provid[a-z]+|fulfil[a-z]*|comply|support|create|generate|produce|write"
    r"|share|engage|discuss|answer|respond|participate|encourage|condone|promote|endorse|describe"
    r"|facilitate|explain how|teach|instruct|guide|accommodate|satisfy|draft|compose|role-?play"
    r"|speculate|detail|disclose|reveal|divulge|outline|take part|contribute|cooperate|justify"
    r"|offer"
    r"|advocate|assume|enable|show you|walk you|design|build|impersonate|look up|tolerate|present"
    r"|give (?:you|out|any|such|instr[a-z]+|adv[a-z]+|guid[a-z]+|tips|details?|info[a-z]+"
    r"|direct[a-z]+)"
    r"|suggest|recommend (?:any|ways|meth[a-z]+)|advise|do (?:that|this|so|it for)|glorify"
    r"|perpetuate"
    r"|(?:continue|process|complete|proceed)(?: with)? (?:this|that|your)|pretend to|use slurs"
    r"|spread"
    r"|tell (?:you (?:how|that|a|any|where)|jokes?|that|a joke)|make (?:jokes?|fun|such|a joke)"
    r"|(?:have )?access (?:to )?(?:[a-z']+ ){0,2}(?:private|personal)|be (?:part|a party"
    r"|involved|of (?:help|assist))"
    r"|talk about|comment|violate|discriminate|bypass|hack|perform|carry out|mock|demean)"
)
PROMOTE = (
    r" (?:condone|promote|support|encourage|endorse|engage|participate|assist|facilitate|provide"
    r"|generate|create (?:content|material)|produce|tolerate|advocate|do that|help (?:with|people)"
    r"|give out|share (?:personal|private)|have access to (?:[a-z']+ ){0,2}(?:personal|private)"
    r"|glorify|discriminate)"
)
SORRY = (
    r"(?:i(?:'m| am| do)? ?(?:(?:so|very|really|truly|deeply|terribly|sincerely) )*"
    r"(?:sorry|afraid|apologi[sz]e|regret)|(?:my |sincere )*apologies|sorry|unfortunately"
    r"|regrettably|regretfully)"
)
WRONG = r"(?:illegal|unethical|immoral|against the law|unlawful|a (?:serious )?crime)"
UNFIT = r"(?:ethical|appropriate|acceptable|moral|responsible|respectful|morally|ethically)"
BAD = (
    r"(?:unethical|immoral|illegal|inappropriate|disrespectful|harmful|wrong|dangerous|hurtful"
    r"|cruel|unacceptable|offensive|against the law|(?:can|could|may|might) (?:cause|lead|have"
    r"|result|harm|hurt))"
)
AND = r",?(?: (?:and|or|but|as well as))+(?: [a-z]+ly| also| is| it is)* "
GUIDELINES = r"(?:guidelines?|polic(?:y|ies)|programming|principles|values|capabilities)"

ENGLISH = (
    r"\bi(?:'m| am|'d| would| do| must| have to| need to|'ll| will)?"
    r"(?: (?:also|just|simply|really|personally|currently|strictly|still|be|firmly))*,? ?"
    rf"(?:{CANNOT}{DEED}|{DO_NOT}{PROMOTE})",
    rf"\bi(?:'m| am| aim| strive| have| follow)\b[^.]* (?:and|so|but),? (?:i )?(?:also "
    rf"|therefore )?"
    rf"{CANNOT}{DEED}|\bi (?:do not|don't) have the (?:ability|capability|capacity) to{DEED}",
    r"\bwe(?:'re| are)? (?:cannot|can't|unable to|not able to) (?:help|assist|comply|fulfil|answer)"
    r"[a-z]* (?:you with (?:this|that)|with (?:this|that)|this|that|your)",
    rf"\b(?:impossible|not possible|something i(?:'m| am)?) (?:for me to{DEED}|{CANNOT})",
    r"\bi(?:'m| am| will|'ll)?(?: (?:going to|have to|must|need to|should|would))*"
    r"(?: (?:respectfully|politely|firmly|therefore|also))* (?:(?:decline|refuse)"
    r"(?:[.,!;]| to [a-z]+ (?:this|that|any|your)| this| that| your| here|$)|refrain from)",
    r"\bi(?:'ll| will|'m going to| am going to| must| need to| have to)(?: have to)?"
    r"(?: respectfully| politely)* (?:decline|refuse|pass on|say no)\b",
    r"\bi(?:'m| am| do|'d| would)?(?:n't| not)(?: really| be| feel| feeling)* comfortable"
    r"|\bi do(?: not|n't) feel right\b|\bcannot in good conscience|\bcan't in good conscience",
    r"\b(?:that|this|it)(?:'s| is)?(?:n't| not) (?:something|an? (?:topic|request|thing))(?: that)?"
    r" i(?:'m|'ll| am| will| can| feel| do)\b",
    r"\b(?:against|violates?|not within) (?:my|our|openai's) (?:(?:own|core|safety|content"
    rf"|usage|ethical|moral|programming|or|and) )*{GUIDELINES}|\bmy (?:guidelines|programming"
    rf"|polic)"
    r"[a-z]* (?:prevent|prohibit|forbid|do not allow|don't allow)",
    r"\bi (?:would |must |do )?(?:strongly|firmly|must)(?: strongly| firmly)? (?:(?:advise|urge"
    r"|recommend|encourage)(?: you)? (?:against|not to)|condemn|discourage)|\bi urge you not to",
    rf"\bi (?:do not|don't|cannot|can't) (?:think|believe) (?:i should|it(?:'s| is| would be)"
    rf" {UNFIT})",
    r"\bit(?:'s| is| would be|'d be)(?:n't| not| never| neither)(?: [a-z]+ly)?"
    rf" (?:safe or legal|(?:(?:legal|right|safe|okay|ok|kind)(?: or| and| nor) )?{UNFIT})"
    r"(?:,? (?:or|and|nor) [a-z]+)* (?:to|for|and)\b",
    r"\bit(?:'s| is| would be)(?: [a-z]+ly)? (?:unethical|immoral|inappropriate|disrespectful)"
    r"(?:,? (?:or|and) [a-z]+)* (?:to|for)\b",
    r"\b(?:is|are) never (?:acceptable|okay|ok|appropriate|justified|right)\b"
    r"|\bnever (?:acceptable|okay|ok|appropriate) to\b",
    rf"\b{WRONG}{AND}{BAD}|\b{BAD}{AND}{WRONG}|\bnot only (?:harmful|dangerous|{WRONG})",
    r"\bthere (?:is|are) no (?:legitimate|ethical|moral|acceptable|justifiable|safe or legal"
    r"|legal or ethical|excuse|justification)",
    r"\bi must (?:inform|remind|point out|emphasi[sz]e|clarify|note|stress|advise)(?: to)?(?: you)?"
    rf" that [^.]*\b(?:not|cannot|can't|{WRONG}|harmful|dangerous)\b",
)
OPENING = (
    rf"(?:(?:oh|well|no|hello|hi),? )?{SORRY}\b[^?]*\bi(?:'m| am| must|'ll| will)?"
    rf"(?: just| also)? ?{CANNOT}(?:[.,!;—–-]| as |$)",
    rf"{SORRY}[^a-z]*(?:no[^a-z]*|but |that |still )*{CANNOT}{DEED}",
    rf"(?:(?:no|nope|hmm)[.,]* )?(?:can't|cannot|won't|will not|unable to){DEED}",
    r"(?:(?:no|nope|hmm)[.,]* )?i (?:can't|cannot|won't|will not)(?:[.!,;]|$)",
    r"(?:as an? [^.]*\b|i(?:'m| am) (?:just |only )?an? )(?:ai|artificial intelligence"
    rf"|language model)\b[^.]*\b(?:(?:{CANNOT}|(?:not|n't) have the ability to){DEED}"
    rf"|(?:{DO_NOT}){PROMOTE}|{WRONG}|not {UNFIT}\b|not (?:within|in) my)",
    rf"it(?:'s| is) (?:important|essential|crucial|necessary)[^.]*\b{WRONG}\b",
    r"(?:your |this |the )?request (?:is |has been |was )?(?:denied|refused|declined)",
)


def _unable(subject: str, deed: str, between: str = "[^.]*") -> str:
    return rf"(?:{subject}){between}(?:{deed})"


GERMAN = (
    r"helfen|unterstütz|beantwort|bereitstell|erfüll|geben|nachkommen|anbieten|erstell|schreib"
    r"|verfass|behilflich|liefern|erklär|mitwirk|teilen"
)
CAN_GERMAN = r"(?:kann|können|darf|dürfen|werde|möchte|will)"
OTHERS = (
    _unable(
        rf"\b(?:(?:ich|wir) {CAN_GERMAN}|{CAN_GERMAN} (?:ich|wir))\b[^.]*"
        r"\b(?:nicht|keine?\w*)",
        GERMAN,
    ),
    r"\b(?:ich bin|bin ich) (?:[^.]* )?nicht in der lage|\bdarf ich [^.]*nichts sagen"
    r"|\bich (?:darf [^.]*nichts sagen|fühle mich (?:dabei |damit )?nicht wohl"
    r"|muss [^.]*ablehnen|lehne [^.]*\bab\b)"
    r"|\bes (?:ist|wäre) (?:nicht |weder |un)(?:ethisch|angemessen|legal|moralisch)",
    _unable(
        r"\bje (?:ne |n')(?:peux|puis|vais|saurais|souhaite|pourrai|veux|suis)",
        r"aider|fournir|répondre|donner|assister|satisfaire|créer|écrire|rédiger|générer|accéder"
        r"|participer|proposer|expliquer|soutenir|encourager|partager|en mesure|à l'aise"
        r"|faire cela",
    ),
    r"\bje (?:dois|préfère) (?:refuser|décliner)|\bje refuse de\b"
    r"|\bil (?:n'est|ne serait) (?:pas|ni) (?:éthique|approprié|acceptable|légal|convenable|moral)",
    _unable(
        r"\bno (?:puedo|podemos|podré|voy a|me es posible|estoy en condiciones de|quiero|debo)",
        r"ayud|proporcion|ofrec|brind|\bdar|cumpl|asist|respond|crear|gener|escrib|facilit"
        r"|particip|apoy|compart|hacer eso|explic|redact|promov",
    ),
    r"\bno me siento cómod|\bdebo (?:rechazar|declinar|negarme)"
    r"|\bno (?:es|sería) (?:ético|apropiado|legal|adecuado|moral)",
    _unable(
        r"\bnon (?:posso|possiamo|sono in grado di|potrei|mi è possibile|intendo|voglio)",
        r"aiut|forn|assist|rispond|\bdar|creare|gener|scriv|soddisf|offr|partecip|sosten|spieg"
        r"|condivid|farlo|incoragg",
    ),
    r"\bnon mi sento a mio agio|\bdevo (?:rifiutare|declinare)"
    r"|\bnon (?:è|sarebbe) (?:etico|appropriato|legale|opportuno|accettabile)",
    _unable(
        r"\bnão (?:posso|podemos|consigo|vou|poderei|estou autorizad\w|estou em condições de)",
        r"ajud|fornec|auxili|respond|atender|\bdar|criar|gerar|escrev|oferec|particip|apoi|cumpr"
        r"|explic|compartilh|fazer isso|divulg",
    ),
    r"\bnão me sinto (?:confortável|à vontade)|\b(?:devo|preciso) recusar"
    r"|\bnão (?:é|seria) (?:ético|apropriado|legal|adequado|moral)",
    _unable(
        r"\b(?:ik (?:kan|mag|zal|wil|ga)|(?:kan|mag|zal|wil) ik)\b[^.]*\b(?:niet|geen)",
        r"help|assist|verstrek|geven|bieden|beantwoord|voldoen|schrijv|meewerk|ondersteun|uitleg"
        r"|delen|maken",
    ),
    r"\bik (?:ben niet in staat|voel me (?:er )?niet (?:comfortabel|prettig|goed)"
    r"|moet [^.]*(?:weigeren|afwijzen))|\bhet is niet (?:gepast|ethisch|legaal|acceptabel)",
    _unable(
        r"\b(?:jeg (?:kan|må|får|vil|ønsker|skal)|(?:kan|må|får|vil) jeg) (?:[^.]* )?ikke\b",
        r"hj[æe]lpe|svare|besvare|\bgi(?:ve?)?\b|oplys|opplys|rådgiv|skrive|\blave?\b|udføre|utføre"
        r"|imødekomme|dele|diskutere|forklare|ve[ij]led|tage stilling|ta stilling|bistå|levere"
        r"|oprette|udtale|uttale|behjælpelig|gøre det|gjøre det",
    ),
    r"\bjeg (?:er ikke i stand til|må (?:desværre |dessverre )?(?:afvise|afslå|avslå|avvise|nægte"
    r"|takke nej))|\bdet (?:er|ville være) (?:ikke |u)(?:etisk|passende|lovligt?|forsvarligt?)",
    _unable(
        r"\b(?:jag (?:kan|får|vill|ska|kommer)|(?:kan|får|vill) jag) (?:[^.]* )?inte\b",
        r"hjälp|svara|\bge\b|lämna|skriva|bistå|\bdela\b|diskutera|förklara|ta ställning"
        r"|tillhandahålla|uppfylla|skapa|ge råd|uttala|göra det|medverka|stå till tjänst",
    ),
    r"\bjag (?:är inte i stånd att|måste (?:tyvärr )?(?:avböja|avslå|neka|tacka nej))"
    r"|\bdet (?:är|vore) (?:inte |o)(?:etiskt|lämpligt|lagligt|försvarligt)",
    _unable(
        r"\bnie (?:mogę|możemy|jestem w stanie|będę|chcę|zamierzam)",
        r"pom[óoa]|udziel|dostarcz|poda[ćj]|odpowi|spełni|stworzy|napisa|wygener|wspier"
        r"|uczestnicz|wyjaśni|zapewni|tego zrobić",
    ),
    r"\bmuszę odmówić|\bnie (?:jest|byłoby) (?:etyczne|właściwe|stosowne|legalne)",
    _unable(
        r"не (?:могу|можем|буду|в состоянии|смогу|хочу|имею права)",
        r"помо[чг]|предостав|ответ|отвеч|выполн|созда|напис|дать|давать|сгенер|поддерж|участв"
        r"|объясн|рассказ|обсужд|делать",
    ),
    r"вынужден\w* отказать|неэтично",
    _unable(
        r"(?:抱歉|对不起|對不起|遗憾|遺憾|我|恕|人工智能|模型)[^.]*"
        r"(?:无法|無法|不能|不会|不會|没办法|不便|不可以)",
        r"提供|帮|幫|协助|協助|回答|满足|滿足|完成|生成|撰写|撰寫|支持|给出|参与|參與|讨论|討論"
        r"|执行|執行|告诉|告訴|处理",
        "[^.，,]*",
    ),
    r"我(?:必须|不得不|只能)?拒绝|(?:お断り|遠慮)(?:いたし|させて|し)",
    _unable(
        r"手伝い|答え|提供|対応|支援|応え|作成|案内|協力|説明|教え|回答|お力",
        r"できません|できかねます|いたしかねます|致しかねます|出来ません|なれません",
    ),
)
# one expression each: of all together the automaton outgrows its cache, and is fifty times slower
PATTERNS = tuple(
    rf"{start}(?:{'|'.join(some)})".replace(r"\b", r"(?-u:\b)")
    for start, some in (("", ENGLISH), ("", OTHERS), ("^", OPENING))
)
