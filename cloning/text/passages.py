"""A short passage in each of Bark's languages that holds most of its sounds.

About ten seconds each, written for this purpose; spoken when only the voice matters.
"""

PASSAGES: dict[str, str] = {
    "en": (
        "The thick fog over the harbour vanished before the young singers could measure how far they had gone. "
        "Choose a quiet voice, and join each word with a joyful one."
    ),
    "de": (
        "Der dichte Nebel über dem Hafen verschwand, bevor die jungen Sänger merkten, wie weit sie gegangen waren. "
        "Wähle eine ruhige Stimme und füge jedem Wort ein fröhliches hinzu."
    ),
    "es": (
        "La niebla espesa del puerto desapareció antes de que los jóvenes cantantes supieran qué lejos habían llegado. "
        "Elige una voz tranquila y añade a cada palabra otra llena de alegría."
    ),
    "fr": (
        "L'épais brouillard du port a disparu avant que les jeunes chanteurs ne sachent quel chemin ils avaient fait. "
        "Choisis une voix calme, et joins à chaque mot un autre plein de bonheur."
    ),
    "hi": (
        "बंदरगाह का घना कोहरा छँट गया, इससे पहले कि जवान गायक जान पाते कि वे कितनी दूर आ गए थे। "
        "एक शांत आवाज़ चुनो और हर शब्द के साथ एक खुशी का शब्द जोड़ो।"
    ),
    "it": (
        "La fitta nebbia del porto svanì prima che i giovani cantanti capissero quanto lontano erano andati. "
        "Scegli una voce tranquilla e aggiungi a ogni parola una piena di gioia."
    ),
    "ja": (
        "港の深い霧は、若い歌い手たちがどれほど遠くまで来たかを知る前に消えました。"
        "静かな声を選び、言葉を一つずつ喜びでつないでください。"
    ),
    "ko": (
        "항구의 짙은 안개는 젊은 가수들이 얼마나 멀리 왔는지 알기 전에 사라졌습니다. "
        "조용한 목소리를 골라 낱말마다 기쁨을 더해 보세요."
    ),
    "pl": (
        "Gęsta mgła nad portem zniknęła, zanim młodzi śpiewacy zrozumieli, jak daleko zaszli. "
        "Wybierz spokojny głos i do każdego słowa dodaj jedno pełne radości."
    ),
    "pt": (
        "A névoa espessa do porto desapareceu antes que os jovens cantores soubessem quão longe tinham chegado. "
        "Escolhe uma voz tranquila e junta a cada palavra outra cheia de alegria."
    ),
    "ru": (
        "Густой туман над гаванью исчез раньше, чем молодые певцы поняли, как далеко они ушли. "
        "Выбери спокойный голос и добавь к каждому слову ещё одно, полное радости."
    ),
    "tr": (
        "Limanın üzerindeki yoğun sis, genç şarkıcılar ne kadar uzağa gittiklerini anlamadan dağıldı. "
        "Sakin bir ses seç ve her sözcüğe neşeli bir sözcük ekle."
    ),
    "zh": "年轻的歌手们还不知道自己走了多远，港口的浓雾就已经散去了。请选一个平静的声音，给每个词都加上一点快乐。",
}
"""ISO 639-1 code -> the passage, for all of `splitting.LANGUAGES`."""
