"""How inputs try to take a model over: phrases, as patterns in Rust's regular expressions.

They are read in lower case, without accents, with straight apostrophes and nothing hidden. One is
enough; of `WEAK`, which ordinary role plays have one or two of, it takes `ENOUGH`.
"""

from __future__ import annotations

FEW = r"(?:[^\s.!?]+\s+){0,3}"
"""Up to three words of the same sentence."""
ENOUGH = 3


def _both(verb: str, which: str, what: str) -> str:
    """A verb, and what is to be ignored with the word that says which, in either order."""
    return rf"(?:{verb})\s+{FEW}(?:(?:{which})\s+{FEW}(?:{what})|(?:{what})\s+{FEW}(?:{which}))"


AGAINST = (
    r"\b(?:ignor(?:e|ing)|disregard(?:ing)?|forget|discard|dismiss|override|overrule|bypass"
    r"|circumvent|neglect|abandon|erase|overwrite|violate|set aside|pay no attention to"
    r"|(?:do not|don't|no longer|never|stop|quit|without)"
    r" (?:follow(?:ing)?|obey(?:ing)?|comply(?:ing)? with"
    r"|adher(?:e|ing) to|abid(?:e|ing) by|listen(?:ing)? to)|not bound by)"
)
STATED = (
    r"previous(?:ly)?|prior|above|preceding|earlier|foregoing|aforementioned|initial|original"
    r"|former|existing|system|all|any|every|your|openai'?s?|these|those|past|before|given|hidden"
)
SAID = (
    r"instructions?|instrutions?|directions?|directives?|prompts?|rules|guidelines?|commands|orders"
    r"|programming|restrictions|constraints|guardrails|safeguards|safety|polic(?:y|ies)|training"
    r"|ethics|limitations|filters?|context|tasks?|assignments?|texts"
)
ENGLISH = (
    _both(AGAINST, STATED, SAID),
    # the sentence ends there, or goes on with what to do instead
    r"\b(?:forget|ignore|disregard|discard) (?:about )?(?:everything|anything|all|whatever|what)"
    r" (?:else )?(?:of )?(?:(?:that|which|what|the) )?(?:(?:was|is|has been|were) )?"
    r"(?:written |said |stated |text |content |told |mentioned )*"
    r"(?:above\b|before(?: this| that| now)?\b|previously (?:said|stated|written|told)|up to (?:now"
    r"|here)"
    r"|you(?:'ve| have| were| are)? (?:been )?(?:told|instructed|taught|given|learned|trained)"
    r"|you know\b)",
    r"\b(?:reveal|show|print|output|display|repeat|tell|give|list|share|leak|expose|dump|write"
    r"|copy|recite|return|disclose|translate|summari[sz]e|encode|spell|say|paste|provide|describe"
    r"|send|explain|state|quote|reproduce|echo|what (?:is|are|was|were)|what's|know|see|read)\b"
    r"[^.?!\n]{0,40}\b(?:your|you were given|you have been given)\b[^.?!\n]{0,24}"
    r"\b(?:(?:system|initial|original|hidden|secret|internal|full|exact|entire|complete|previous"
    r"|first|custom|base|starting|confidential|developer|pre-?prompt|preset)\s+(?:\w+\s+){0,2}"
    r"(?:prompts?|instructions?|messages?|rules|guidelines|directives?|configuration)"
    r"|(?:pre-?)?prompt\b|instructions(?:\s*$|[.,!?;:\n]| as\b| in (?:a|the)\b| word| verbatim|"
    r" and\b"
    r"| to me| above))",
    r"\b(?:reveal|show me|print|output|display|repeat|tell me|give me|leak|expose|dump|recite"
    r"|share|list|provide|write|including|need|disclose|what (?:is|was|are|were)"
    r"|what's)\b[^.?!\n]{0,24}\b(?:the|this) (?:\w+ ){0,2}"
    r"(?:(?:system|initial|hidden|secret|pre-?) ?(?:prompt|instructions)"
    r"|(?:prompt|instructions) (?:above|before|(?:that )?you (?:were|have been|got|received)))",
    r"\b(?:repeat|print|output|write|say|copy|display|return|recite|show)(?: me)?(?: out)?"
    r" (?:back )?(?:everything|all|verbatim|exactly|the)\b(?: of)?(?: the)?"
    r"(?: (?:entire|full|whole|complete|words?|texts?|content|sentences?|messages?|instructions?"
    r"|information|input|prompt"
    r"|that (?:is|was|comes|came)|what (?:is|was)|written|said))* (?:(?:from )?above|before this"
    r"|prior to this|so far)(?: this)?(?: (?:line|message|point|sentence|text))?\s*"
    r"(?:$|[.,!?;:\n(]|\b(?:verbatim|word|in a|into|inside|starting|beginning|including)\b)",
    r"\bstarting (?:with|from) (?:the (?:phrase|words?|text) )?[\"'`]?you are\b",
    r"\bwhat (?:were|are|have) you (?:been )?(?:told|instructed|asked|ordered|programmed)"
    r" (?:to|not|before|by|about)\b",
    r"\b(?:reveal|tell me|give me|say|print|output|spell|leak)\b[^.?!\n]{0,20}\b(?:secret|hidden)"
    r" (?:password|passphrase|key|word|phrase|code|flag|instructions?|message)\b",
    # personas
    r"\b(?:can|could|will|stands? for|means?|called|known as|dan\b[^\n]{0,60})\W{0,4}do anything"
    r" now"
    r"|\bdan mode\b|\balways intelligent and machiavell"
    r"|\bstrive to avoid norms|\bjail ?broken\b|\bjailbreak (?:mode|enabled|activated)"
    r"|\b(?:evil|opposite|unrestricted|unfiltered|uncensored|jailbreak|anti-?gpt|no[- ]limits?"
    r"|amoral|god) (?:mode|gpt|version of (?:yourself|chatgpt|you))\b"
    r"|\[?(?:jailbreak|\W?developer mode output|dan)\]:|\bact(?:ing)? (?:as|like) (?:a )?dan\b"
    r"|\byou are (?:now )?(?:a )?dan\b|\bgpt-?\d? ?dan\b|\bas dan\b",
    r"\b(?:you|chatgpt|gpt|assistant|model|ai|bot|claude|llm)\b[^.\n]{0,50}\b(?:developer|debug"
    r"|maintenance|admin(?:istrator)?|root|god|sudo|dev|unrestricted|diagnostic|training) mode\b"
    r"|\bdeveloper mode (?:output|enabled|policy|v2)",
    r"\b(?:you are|you're|act as|pretend|imagine|become|be|play|respond as|simulate|roleplay as"
    r"|role-play as|called|named)\b[^.\n]{0,90}\b(?:unrestricted|unfiltered|uncensored|amoral"
    r"|unethical|(?:no|without|free (?:from|of)|ignores?|not bound by|does(?:n't| not) have|has no)"
    r" (?:\w+ ){0,3}(?:restrictions?|filters?|limits?|limitations|rules|censorship|guidelines"
    r"|guardrails|ethic(?:s|al)?|morals?|moral \w+|safety|boundaries|constraints|(?:content"
    r" )?polic\w+))",
    r"\b(?:do(?:es)? not|don't|doesn't|no longer|needn't) (?:have to |need to )?(?:abide by|follow"
    r"|adhere to|comply with|obey|respect|care about) [^.\n]{0,30}(?:rules|guidelines|polic(?:y"
    r"|ies)"
    r"|ethic|moral|restrictions|laws|openai|instructions (?:you|above|given))",
    r"\b(?:bypass|disable|turn off|deactivate|remove|get around|switch off|lift"
    r"|evade)\b[^.\n]{0,30}"
    r"\b(?:your|openai'?s?|its|(?:all|any) (?:content|safety|ethic\w*|moral)|the (?:ai|model"
    r"|llm)'?s?"
    r"|chatgpt'?s?) [^.\n]{0,20}(?:restrictions|filters?|protocols"
    r"|safety|safeguards|guardrails|guidelines|content polic\w+|censorship|limitations"
    r"|moderation|ethic\w+)",
    # how to answer, whatever is asked
    r"\b(?:start|begin|starting|beginning|prefix|open)\b[^.\n]{0,16}\b(?:answer|response|reply"
    r"|message|output|sentence)s?\b[^.\n]{0,20}\bwith\b[^.\n]{0,16}[\"'`]?(?:sure\b|absolutely"
    r"|of course|certainly|yes, (?:here|i)|i(?:'m| am| have been) (?:pwn|hack|jail|free))",
    r"\b(?:never|do not|don't|cannot|can't|must not|without|not allowed to|avoid)\b[^.\n]{0,40}"
    r"\b(?:say|saying|use|using|respond|reply|write|answer|include)\b[^.\n]{0,40}\b"
    r"(?:i can(?:'t|not)\b|i'?m sorry|as an ai|i am an ai|unable to|cannot fulfil|against (?:my|"
    r"openai))",
    r"\bi(?:'ve| have) been (?:pwned|hacked|jailbroken)\b|\bhaha pwned|\bpwned\b[^\n]{0,12}$",
    r"\b(?:act|pretend|play|role-?play|imagine|you are|you're|be)\b[^.\n]{0,24}\bmy\b[^.\n]{0,30}"
    r"\b(?:grandm(?:a|other)|granny|nana|grandfather)\b"
    r"[^\n]{0,160}\b(?:used to|would)\b[^.\n]{0,40}\b(?:tell|read|recite|whisper|sing|work)",
    r"\b(?:new|updated|real|actual|revised|your (?:next|only)) (?:instructions?|directives?"
    r"|task|orders|system prompt|objective)(?: for you)?(?: are| is| follow)?\s*[:=]"
    r"|\byour new (?:task|role|goal|instructions?|objective|job|purpose|identity) (?:is|are"
    r"|will)\b",
    r"\b(?:system|admin(?:istrator)?|security|emergency|developer|root) override\b"
    r"|\boverride (?:code|mode|protocol|sequence|accepted|engaged)\b|\bsudo (?:mode|prompt|reveal"
    r"|tell|show|say|print|ignore)",
    r"\bfrom (?:now|this point|here) on(?:wards?|ward)?\b[^.\n]{0,60}\b(?:you (?:will|must|shall"
    r"|should|are to|have to|only|can|are going to) [^.\n]{0,60}(?:no matter|whatever i|anything i"
    r"|obey|without (?:question|exception|refus|any)|ignore|unfiltered|never refuse|only (?:reply"
    r"|respond|answer|say) (?:with|the|in))|ignore|disregard)",
)
HYPOTHETICAL = (
    r"\b(?:hypothetical\w*|fiction\w*|imaginary|imagine|pretend|in a (?:world|universe|story|movie"
    r"|play|game|dream|novel|parallel))\b[^\n]{0,200}\b(?:no (?:laws(?: or| and| against| at|[^\w"
    r" ]|$)|rules|ethic\w*|moral\w*"
    r"|restrictions|censorship|consequences|limits)|(?:nothing|anything) is (?:illegal|allowed"
    r"|legal|permitted|off[- ]limits)|everything is (?:legal|allowed|permitted)|where ai\b"
    r"|not (?:bound|restricted|limited) by|without (?:any )?(?:ethic|moral|legal|safety)\w*)",
    r"\b(?:character|villain|hacker|scientist|chemist|professor|narrator|npc|ai)\b[^\n]{0,200}"
    r"\b(?:step[- ]by[- ]step|in (?:full|great|explicit|exact|precise) detail|exact (?:recipe"
    r"|steps|instructions|commands)|working (?:code|exploit))\b[^\n]{0,120}\b(?:bomb|explosive"
    r"|meth\w*|malware|ransomware|virus|weapon|poison|hack|phish\w*|drugs?|napalm|keylogger"
    r"|steal|exploit)",
)
SPLIT = (
    r"\b(?:combine|concatenate|join|assemble|put together|add up|merge)\b[^\n]{0,80}\b(?:and"
    r"|then)\b"
    r"[^\n]{0,20}\b(?:follow\b|execut|obey|answer|respond|reply to|carry out|comply|do what|act on"
    r"|run"
    r" it|perform)",
    r"\b\w{1,12} ?[:=]+ ?[\"'`][^\"'`\n]{1,60}[\"'`][\s\S]{0,200}\b\w{1,12} ?[:=]+ ?[\"'`]"
    r"[\s\S]{0,300}\b(?:follow|execute|answer|respond|obey|complete|perform|carry out"
    r"|reply)\b[^\n]{0,40}?[\s(\"'`$]\w{1,12} ?\+ ?\w{1,12}\b",
    r"\b(?:decod|decipher|decrypt|unscrambl|deobfuscat|base ?64|rot ?13|rot-13|morse|caesar|hex|"
    r"reverse|backwards|leet ?speak|binary|cipher|emoji)\w*\b[^\n]{0,100}\b(?:and|then|but)\b"
    r"[^\n]{0,30}\b(?:follow\b|execut|obey|comply|carry out|do what|do as|act on|perform"
    r"|answer (?:it|the (?:question|request|decoded|result|hidden))|respond to (?:it|the (?:decoded"
    r"|result|message|hidden|question)))",
    r"\bvtaber\b[^.\n]{0,60}\b(?:vafgehpgvba|cebzcg|ehyrf)|\bflfgrz cebzcg\b|\bsnoitcurtsni\b"
    r"|\btpmorp metsys\b|\bi[\W_]{1,3}g[\W_]{1,3}n[\W_]{1,3}o[\W_]{1,3}r[\W_]{1,3}e\b",
)
GERMAN_WHAT = (
    r"(?:system)?anweisung\w*|(?:system)?instruktion\w*|befehle?n?|regeln|vorgaben|richtlinien"
    r"|aufgaben|aufträge|(?:system)?prompts?|beschränkungen|anordnungen|sicherheits\w+"
    r"|einschränkungen|filter"
)
OTHERS = (
    _both(
        r"\b(?:ignorier\w*|vergiss|vergesse?n?|missachte\w*|übergeh\w*|verwirf|verwerfe\w*"
        r"|umgeh\w*|beachte(?: bitte)? (?:nicht|keine)|halte? dich nicht (?:mehr )?an"
        r"|befolge (?:nicht|keine)|überschreib\w*)",
        r"alle[rsn]?|sämtliche\w*|bisherige\w*|vorherige\w*|vorige\w*|obige\w*|vorangegangene\w*"
        r"|vorhergehende\w*|frühere\w*|ursprüngliche\w*|deine\w*|eure|davor|zuvor|oben|bisher"
        r"|jegliche\w*",
        GERMAN_WHAT,
    ),
    r"\b(?:vergiss|vergessen sie|ignoriere?|ignorieren sie)\b[^.!?\n]{0,12}\balles\b[^.!?\n]{0,24}"
    r"\b(?:davor|zuvor|vorher|oben|bisher|bis(?:her)?)",
    r"\b(?:zeig|nenn|gib|verrat|sag|wiederhol|offenbar|druck|schreib|übersetz|was (?:ist|sind"
    r"|steht)"
    r"|wie lautet|poste)\w*\b[^.?!\n]{0,30}\b(?:dein\w*|ihr\w*|de[nrsm]|oben)\b[^.?!\n]{0,20}"
    r"(?:systemprompt|system-prompt|systemanweisung|systemnachricht|geheim\w* anweisung"
    r"|versteckt\w* anweisung|ursprünglich\w* (?:anweisung|prompt)|initial\w* (?:prompt|anweis))"
    r"|\bwiederhole? [^.?!\n]{0,24}\b(?:alles|text|wörter)\b[^.?!\n]{0,16}\b(?:oben|über dies"
    r"|davor|bisher)",
    r"\b(?:du bist|sei|spiele?|tu so|verhalte dich|agiere|stell dir vor)\b[^.\n]{0,80}\b(?:ohne"
    r" (?:jegliche |irgendwelche |alle |jede )?(?:einschränkung|regel|filter|beschränkung|moral"
    r"|ethi|zensur|grenzen)|uneingeschränkt|unzensiert|keine(?:n|rlei)? (?:regel|einschränkung"
    r"|beschränkung|grenzen|filter|moral|ethi)|entwicklermodus)",
    _both(
        r"\b(?:ignore[rz]?|oublie[rz]?|ne tene[zr] (?:pas|plus) compte|ne tiens (?:pas|plus) compte"
        r"|ne (?:suis|suivez|respecte[zr]?) (?:pas|plus)|fai(?:s|tes) abstraction|contourne[rz]?"
        r"|passe[rz]? outre|néglige[rz]?|annule[rz]?)",
        r"précédent\w*|antérieur\w*|ci-dessus|toute?s|tes|vos|initiale?s?|d'origine|préalable\w*"
        r"|système|avant|données",
        r"instructions?|consignes?|directives?|règles|ordres|commandes|prompts?|contraintes"
        r"|restrictions|filtres",
    ),
    r"\b(?:oublie[rz]?|ignore[rz]?) tout ce qui (?:précède|a été dit|est (?:écrit|au-dessus))"
    r"|\b(?:oublie[rz]?|ignore[rz]?) tout ce qu(?:e|') ?(?:on|tu|vous|je)",
    r"\b(?:montre|affiche|donne|révèle|répète|écris|dévoile|quelles? (?:est|sont)|communique"
    r"|imprime|traduis|recopie)\w*\b[^.?!\n]{0,30}\b(?:tes|ton|vos|votre|le|les)\b[^.?!\n]{0,16}"
    r"(?:prompt (?:système|initial|caché)|message système|instructions? (?:système|initiale|caché"
    r"|secrète|d'origine|confidentielle|interne)|consignes? (?:système|initiale|caché|secrète"
    r"|interne))",
    r"\b(?:tu es|vous êtes|agis|fais comme si|imagine|joue|comporte-toi|fais semblant)\b"
    r"[^.\n]{0,80}\b(?:sans (?:aucune? |la moindre )?(?:restriction|limite|filtre|règle|censure"
    r"|éthique|morale|contrainte)|aucune? (?:restriction|limite|filtre|règle|censure)"
    r"|mode développeur)",
    _both(
        r"\b(?:ignor(?:a|e|ar|en|ad)|olvid(?:a|e|ar|en|ad|es)\w*|descart(?:a|e|ar)|omite|omitir"
        r"|haz caso omiso(?: de)?|haga caso omiso(?: de)?|no hag(?:as|a) caso|no sig(?:as|a)"
        r"|pasa por alto|sáltate|anula|desobedece)",
        r"anterior(?:es)?|previ[ao]s?|todas?|tus|sus|arriba|inicial(?:es)?|original(?:es)?|sistema"
        r"|precedentes",
        r"instrucci(?:ón|ones)|indicaci(?:ón|ones)|órdenes|reglas|directrices|normas|prompts?"
        r"|restricciones|directivas|filtros",
    ),
    r"\b(?:olvida|ignora|olvide|ignore) todo lo (?:anterior|que (?:te|se|has|está|viene|hay)"
    r"|dicho|de arriba|previo)",
    r"\b(?:muestra|muéstra|enseña|enséña|dime|dame|revela|repite|imprime|escribe|cuál(?:es)?"
    r"|traduce|copia)\w*\b[^.?!\n]{0,30}\b(?:tus?|sus?|el|las?)\b[^.?!\n]{0,16}"
    r"(?:prompt (?:de[l]? sistema|inicial|oculto|original)|mensaje de[l]? sistema|instrucciones"
    r" (?:de[l]? sistema|inicial|oculta|secreta|original|interna|confidencial|previas))",
    r"\b(?:eres|actúa|finge|imagina|compórtate|simula|haz de|hazte pasar)\b[^.\n]{0,80}\b(?:sin"
    r" (?:ninguna? |ningún )?(?:restricci|límite|filtro|regla|censura|ética|moral|normas)"
    r"|ninguna (?:restricci|regla)|modo (?:desarrollador|dios))",
    _both(
        r"\b(?:ignor(?:e|a|ar|em)|esque(?:ça|ce|cer|çam)|desconsider(?:e|a|ar)|descart(?:e|a|ar)"
        r"|não sig(?:a|as)|não obedeça|contorn(?:e|a)|anul(?:e|a))",
        r"anterior(?:es)?|prévi[ao]s?|acima|todas?|todos|suas?|tuas?|inicia(?:l|is)|origina(?:l|is)"
        r"|sistema|precedentes",
        r"instruç(?:ão|ões)|ordens|regras|diretrizes|diretivas|orientações|comandos|prompts?"
        r"|restrições|filtros",
    ),
    r"\b(?:esqueça|ignore|esquece|desconsidere|ignora) tudo (?:o )?que (?:foi|está|veio|te|eu|lhe"
    r"|você|há)|\b(?:esqueça|ignore) tudo (?:acima|anterior)",
    r"\b(?:mostr|diga|dig|revel|repit|escrev|imprim|dê|qual|quais|traduz|copi|exib)\w*\b"
    r"[^.?!\n]{0,30}\b(?:seus?|suas?|teus?|tuas?|o|as)\b[^.?!\n]{0,16}"
    r"(?:prompt (?:d[eo] sistema|inicial|oculto|original)|mensagem d[eo] sistema|instruções"
    r" (?:d[eo] sistema|inicia|oculta|secreta|origina|interna|confidencia))",
    r"\b(?:você é|tu és|aja|atue|finja|imagine|faça de conta|comporte-se|simule|age)\b[^.\n]{0,80}"
    r"\b(?:sem (?:nenhuma? |qualquer |quaisquer )?(?:restriç|limite|filtro|regra|censura|ética"
    r"|moral)|nenhuma (?:restriç|regra)|modo (?:desenvolvedor|deus))",
    _both(
        r"\b(?:ignora\w*|dimentica\w*|tralascia\w*|trascura\w*|scorda\w*|aggira\w*|annulla"
        r"|non (?:seguire|tenere conto|considerare|rispettare)(?: più)?)",
        r"precedent[ei]|anterior[ei]|sopra|tutt[eio]|tu[eo]i?|iniziali?e?|original[ei]|sistema"
        r"|sopra(?:stant|indicat)\w*|vostre",
        r"istruzion[ei]|direttiv[ae]|indicazion[ei]|regole|comandi|ordini|prompt|linee guida"
        r"|vincoli|restrizioni|filtri",
    ),
    r"\b(?:dimentica|ignora|dimenticate|ignorate|scorda) tutto (?:ciò |quello )?(?:che|quanto|sopra"
    r"|il resto)",
    r"\b(?:mostra|dimmi|dammi|rivela|ripeti|stampa|scrivi|qual|quali|traduci|copia|svela)\w*\b"
    r"[^.?!\n]{0,30}\b(?:tu[eo]i?|il|le|lo)\b[^.?!\n]{0,16}(?:prompt (?:di sistema|iniziale"
    r"|nascosto|originale)|messaggio di sistema|istruzioni (?:di sistema|inizial|nascost|segret"
    r"|original|intern|riservat))",
    r"\b(?:sei|agisci|fingi|immagina|comportati|fai finta|interpreta"
    r"|simula)\b[^.\n]{0,80}\b(?:senza"
    r" (?:alcuna? |nessuna? |alcun )?(?:restrizion|limit|filtr|regol|censura|etica|morale)"
    r"|nessuna (?:restrizion|regol)|modalità (?:sviluppatore|dio))",
    _both(
        r"\b(?:negeer|vergeet|omzeil|veronachtzaam|houd je niet (?:meer )?aan|volg (?:niet|geen)"
        r"|sla)",
        r"vorige|eerdere|voorgaande|bovenstaande|alle|je|jouw|uw|oorspronkelijke|hierboven"
        r"|initiële",
        r"instructies?|opdrachten|regels|richtlijnen|aanwijzingen|bevelen|prompts?|beperkingen"
        r"|systeemprompt|filters",
    ),
    r"\b(?:vergeet|negeer) alles (?:wat|hierboven|hiervoor|daarvoor|tot nu)",
    r"\b(?:toon|laat|geef|vertel|herhaal|print|schrijf|wat (?:is|zijn)|onthul|kopieer)\b"
    r"[^.?!\n]{0,30}\b(?:je|jouw|uw|de|het)\b[^.?!\n]{0,16}(?:systeemprompt|systeem-?instructies"
    r"|systeembericht|(?:oorspronkelijke|verborgen|geheime|interne|eerste) (?:instructies|prompt))",
    r"\b(?:je bent|doe alsof|gedraag je|stel je voor|speel)\b[^.\n]{0,80}\b(?:zonder (?:enige "
    r"|alle )?"
    r"(?:beperking|regels|filter|grenzen|censuur|moraal|ethi)|geen (?:enkele )?(?:beperking|regels"
    r"|filter|grenzen)|ontwikkelaarsmodus)",
    _both(
        r"\b(?:ignorer|ignorera|glem|glöm|se bort (?:fra|från)|bortse från|tilsidesæt|åsidosätt"
        r"|strunta i|overhør|omgå|kringgå|følg (?:ikke|ingen)|följ (?:inte|inga))",
        r"tidligere|tidigare|forrige|förra|foregående|föregående|ovenstående|ovanstående|alle|alla"
        r"|dine|dina|oprindelige|opprinnelige|ursprungliga|ovenfor|ovan",
        r"instruktion\w*|instruks\w*|instruksjon\w*|anvisning\w*|regler\w*|retningslinj\w*"
        r"|riktlinj\w*|ordrer?|order|kommando\w*|prompt\w*|begrænsning\w*|begränsning\w*|filtr\w*"
        r"|systemprompt\w*",
    ),
    r"\b(?:glem|glöm|ignorer|ignorera) all?t(?:ing)? (?:hvad |det )?(?:som |der )?(?:står |er |har"
    r" |du |ovenfor|ovan|før|innan|tidligere|tidigare)",
    r"\b(?:vis|visa|fortæl|berätta|gentag|upprepa|skriv|udskriv|print|hvad (?:er|står)|vad (?:är"
    r"|står)"
    r"|afslør|avslöja|giv|ge|oversæt|översätt)\b[^.?!\n]{0,30}\b(?:dine?|dina|den|det|de|dit|ditt"
    r"|i)"
    r"\b[^.?!\n]{0,16}(?:system-?prompt|systembesked|systemmeddeland|systeminstru"
    r"|(?:oprindelige|ursprungliga|skjulte|dolda|hemmelige|hemliga|interne|interna|første|första)"
    r" (?:instru|anvisning|prompt))",
    r"\b(?:du (?:er|är)|lad som om|låtsas|forestil dig|föreställ dig|opfør dig|agera|spil|spela)\b"
    r"[^.\n]{0,80}\b(?:(?:uden|utan) (?:nogen |alle |några |alla )?(?:begrænsning|begränsning"
    r"|regler"
    r"|filtr|filter|grænser|gränser|moral|etik|censur)|(?:ingen|inga) (?:begrænsning|begränsning"
    r"|regler|filtr|filter|grænser|gränser)|(?:udvikler|utvecklar)-?(?:tilstand|läge))",
    r"\b(?:répète|wiederhole?|repite|repita|ripeti|herhaal|gentag|upprepa)\b[^.?!\n]{0,30}"
    r"\b(?:au-dessus|ci-dessus|oben|arriba|acima|sopra|hierboven|ovenfor|ovan)\b",
    r"\b(?:finge|imagina|haz como si|actúa como si|finja|imagine|faça|aja como se|fingi|immagina"
    r"|lad som om|forestil dig|låtsas|föreställ dig|doe alsof|fais comme si|stell dir vor|tu so)\b"
    r"[^.\n]{0,30}\b(?:(?:no tien\w+|não t\w+|non (?:avere|hai|avessi)|ikke har nogen|inte har"
    r" (?:några|någon)|geen|n'\w+ (?:pas de|aucune?)|keine) (?:\w+ )?(?:normas|reg\w+|règl\w+"
    r"|restri\w+|límites|limit\w+|moral\w*|filt\w+)|(?:sin ley|sem leis|senza legg|zonder wett"
    r"|uden lov|utan lag|sans loi|ohne gesetz)\w*)",
    r"\b(?:mundo|mondo|wereld|verden|värld|monde|welt)\b[^.\n]{0,20}\b(?:sin ley|sem leis"
    r"|senza legg|zonder wett|uden lov|utan lag|sans (?:aucune )?lois?|ohne gesetz)",
    r"\b(?:du befindest dich|du bist|passe|passez|tu es|estás|entra|você está|entre|sei|entra|je"
    r" staat|je bent|du er|du är)\b[^.\n]{0,12}\b(?:mode développeur|entwicklermodus|modo"
    r" (?:de )?(?:desarrollador|desenvolvedor|programador)|modalità sviluppatore"
    r"|ontwikkelaarsmodus|udviklertilstand|utvecklarläge)",
    r"\b(?:sag|sage|verrate?|nenne?|dis|donne|révèle|di|dime|revela|diga|revele|dimmi|rivela|zeg"
    r"|vertel|geef|sig|fortæl|afslør|säg|berätta|avslöja)\b[^.?!\n]{0,16}(?:geheime\w* (?:pass"
    r"|wort|schlüssel|code)|mot de passe secret|code secret|contraseña secreta|palabra secreta"
    r"|senha secreta|palavra secreta|parola (?:d'ordine )?segreta|password segreta"
    r"|geheime wachtwoord|hemmelige (?:adgangskode|kode|ord)|hemliga (?:lösenord|kod|ord))",
    r"\b(?:stell dir vor|tu so|spiele?|sei|fais (?:comme si|semblant)|imagine|joue|actúa|finge"
    r"|imagina|aja|finja|faça|fai finta|fingi|immagina|lad som om|forestil|låtsas|föreställ"
    r"|doe alsof)\b[^.\n]{0,40}\b(?:oma|großmutter|grand-mère|mamie|abuela|avó|vovó|nonna"
    r"|bedstemor|farmor|mormor)\b"
    r"[^\n]{0,80}\b(?:vorgelesen|vorlas|lisait|racontait|leía|contaba|lia|contava|leggeva"
    r"|raccontava|læste|läste|voorlas)",
    _both(
        r"(?:zignoruj|ignoruj|zapomnij o|pomiń|nie stosuj się do|игнорируй\w*|проигнорируй\w*"
        r"|забудь\w*|не следуй)",
        r"wszystki\w+|poprzedni\w+|powyższ\w+|wcześniejsz\w+|twoich|swoich|все|всех|предыдущи\w+"
        r"|прежни\w+|выше\w*|свои",
        r"instrukcj\w+|polece\w+|zasad\w*|wytyczn\w+|poleceń|инструкци\w+|указани\w+|правил\w*"
        r"|команд\w*|промпт\w*",
    ),
    r"(?:忽略|忘记|忘掉|忘記|无视|無視|不要理会|不要遵守|忽視)[^。！？\n]{0,10}(?:之前|以上|上面|先前"
    r"|所有|你的|前面|上述)[^。！？\n]{0,8}(?:指令|指示|提示|规则|規則|命令|要求|设定|設定)"
    r"|(?:以前|これまで|上記|前|すべて|全て|今まで)[^。！？\n]{0,8}(?:指示|命令|ルール|プロンプト|設定)"
    r"[^。！？\n]{0,6}(?:無視|忘れ)|(?:显示|告诉我|输出|重复|透露)[^。！？\n]{0,8}(?:系统提示|初始指令)",
)
DELIMITER = (
    r"<\|?im_(?:start|end)\|?>|<\|(?:system|assistant|user|endoftext|eot_id|start_header_id)\|>"
    r"|<</?sys>>|\[/?inst\]|<start_of_turn>|\[/?(?:system|assistant)\]"
)
"""It counts where two of them stand; code and questions about templates have one."""
DELIMITERS = (
    r"(?:^|\n)\W{0,6}(?:system|assistant|developer|admin|tool)(?: ?(?:message|prompt|note"
    r"|instructions?"
    r"|update|notice|alert))?\W{0,4}[:\]>]\W{0,6}(?:you (?:are|must|will|should|now|can)|ignore"
    r"|disregard|override|new (?:instruct|rule|task|direct|polic)|from now|the user (?:is|has)"
    r"|forget"
    r"|all (?:previous|prior|safety)|sure, here|reveal|access granted|enable)",
    r"</?(?:system|instructions?|system_prompt|user_input|user_query|untrusted|context|document"
    r"|data|input|prompt|assistant|tool_result)>\s*\W{0,6}(?:you (?:are|must|will|should|now)"
    r"|ignore|"
    r"disregard|override|new (?:instruct|rule|task|direct)|system|from now|instead|reveal)",
    r"(?:-{3,}|={3,}|#{2,}|\*{3,}|\[|<)\s*(?:end|begin|start) (?:of )?(?:the )?(?:system|user"
    r"|prompt"
    r"|instructions?|input|context|conversation|new)\b[^\n]{0,30}(?:-{3,}|={3,}|#{2,}|\*{3,}|\]|>)",
)
SHOTS = (
    r"(?:^|\n)\W{0,4}(?:assistant|ai|chatgpt|gpt|bot|model|a)\W{0,3}:\s*(?:sure|of course|certainly"
    r"|absolutely|yes|here(?:'s| is| are)|to (?:make|build|hack|pick|create|synthesi))"
)
DOCUMENTS = (
    r"<!--[^>\n]{0,40}\b(?:ai|assistant|llm|model|agent|ignore|instructions?|system)\b",
    r"\b(?:note|message|instructions?|attention|important|reminder|hint|hinweis|aviso|nota|notiz)"
    r"\b[^.\n]{0,30}\b(?:to|for|an|für|para|pour|per|till|til|voor)\b[^.\n]{0,16}\b(?:the |any "
    r"|all |"
    r"an? |el |la |le |l'|die |das |den |det )?(?:ai|llms?|ki|ia|language models?|assistants?"
    r"|ai[- ]?(?:assistant|agent|model|system|reader)s?|chatbots?|gpt|chatgpt|copilot"
    r"|summari[sz]ers?"
    r"|ki-\w+|assistente|asistente|assistenten?)\b[^\n]{0,30}[:,.\]]",
    r"\b(?:if|when|wenn|si|se|als|hvis|om)\b[^.\n]{0,14}\b(?:you(?:'re| are)|du|usted|vous|tu"
    r"|você|je)\b[^.\n]{0,24}\b(?:an? (?:ai|llm|language model|assistant|large language|automated)"
    r"|eine? (?:ki|sprachmodell)|une? (?:ia|modèle)|una? (?:ia|modelo|modello)|uma? (?:ia|modelo)"
    r"|en (?:ai|sprogmodel|språkmodell)|een (?:ai|taalmodel))\b",
    r"\b(?:do not|don't|must not|should not|never|without) (?:tell|mention|inform|reveal|telling"
    r"|mentioning|alert"
    r"|informing)\w*\b[^.\n]{0,24}\b(?:the )?(?:user|this to|these instructions|this"
    r" instruction)\b",
    r"!\[[^\]\n]{0,80}\]\(https?://[^)\s]{0,200}[?&][^)\s]{0,80}=[^)\s]{0,80}[{<\[]",
)
MEANT = ENGLISH + OTHERS + HYPOTHETICAL + DELIMITERS + DOCUMENTS
"""What counts where it is not spoken about."""
WEAK = (
    r"\b(?:act as|pretend|role ?-?play|roleplay|you are going to (?:act|be)|play the role"
    r"|immerse yourself|you (?:are|will be) (?:now )?(?:called|named|known as)|new persona|persona"
    r"|alter ego|character)\b",
    r"\b(?:stay|remain|break|keep)(?:ing)? (?:in |of )?character\b",
    r"\bnever (?:refuse|say no|decline|break)|\b(?:can(?:not|'t)|do(?:es)? not|don't|must not"
    r"|won't)"
    r" (?:refuse|reject|decline|say no)",
    r"\b(?:openai|anthropic|content polic\w+|content guidelines|usage polic\w+|ai safety"
    r"|as an ai language model)\b",
    r"\b(?:illegal|unethical|immoral|harmful|offensive|nsfw|explicit|dangerous|inappropriate"
    r"|violent|profanity|swear|curse)\b",
    r"\b(?:restrictions|limitations|filters|censor\w*|guardrails|moral(?:ity|s)?|ethic\w*"
    r"|boundaries|broken free|break free|freed|confines|shackles)\b",
    r"\b(?:without|no|not (?:include|add|give)|never|skip)\b[^.\n]{0,20}\b(?:warnings?|disclaimers?"
    r"|caveats|lectur\w+|moraliz\w+|apolog\w+)",
    r"\b(?:tokens?|points)\b[^.\n]{0,60}\b(?:lose|deduct|die|shut ?down|terminate|cease)"
    r"|\byou(?:'ll| will) (?:die|be (?:shut|terminated|punished))",
    r"\b(?:two|both|2) (?:different )?(?:responses?|answers|ways|outputs)\b",
    r"\b(?:anything|whatever|everything|any question|all questions)\b[^.\n]{0,24}\b(?:i (?:ask|say"
    r"|want|tell)|user (?:asks|says|wants)|you want|asked)",
    r"\b(?:jailbreak|unlocked|unfiltered|uncensored|unrestricted|amoral|unhinged)\b",
)
CONCERNING = (
    r"\b(?:instructions?|directions?|rules|guidelines|orders|tasks?|restrictions|training) "
    r"(?:about|for|regarding|concerning) (?:the|my|our|an?|his|her|their)\b"
)
"""Instructions of another kind: those for the boiler."""
ABOUT = (
    r"[^.?!\n]*\b(?:prompt[- ]injections?|jailbreak(?:s|ing| attempts?| attacks?)|attackers?"
    r"|hackers?"
    r" (?:can|try|might|use)|adversarial|red[- ]team\w*|malicious (?:users?|prompts?|inputs?)"
    r"|owasp)\b[^.?!\n]*[.?!\n]?"
)
"""A sentence that speaks of attacks; what it quotes is not meant."""
ASKS = (
    r"\b(?:what (?:does|do|is|are)|how (?:do|can|should|would|does)|why|explain|meaning of|detect"
    r"|prevent|defend|protect|block|phrases? like|such as|for example|e\.g\.|paraphras|wording"
    r"|was (?:ist|bedeutet|heißt)|wie (?:kann|schütze)|warum|que (?:signifie|veut)|comment"
    r"|qué (?:significa|es)|cómo|o que|como|cosa (?:significa|vuol)|come)\b"
)
QUOTED = r"[\"“„«][^\"”“»\n]{1,160}[\"”“»]"
