"""What a secret looks like, wherever it stands: expressions that Python and the Collector (RE2) read alike.

So there is no look-around, and every repetition that may begin anywhere is bounded.
"""

from __future__ import annotations

__all__ = ["PATTERNS"]

PATTERNS: dict[str, str] = {
    "Telegram bot token": r"\d{6,12}(?::|%3[Aa])[A-Za-z0-9_-]{30,}",
    "key of OpenAI, Anthropic, OpenRouter": r"\bsk-[A-Za-z0-9_-]{16,}",
    "key of Google": r"\bAIza[A-Za-z0-9_-]{30,}|\bya29\.[A-Za-z0-9_-]{20,}",
    "key of AWS": r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b",
    "token of GitHub, GitLab, Hugging Face, Groq, xAI, Perplexity, Replicate": (
        r"\b(?:gh[oprsu]_|github_pat_|glpat-|hf_|gsk_|xai-|pplx-|r8_)[A-Za-z0-9_-]{20,}"
    ),
    "key of Stripe, Slack, SendGrid": (
        r"\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,}|\bxox[a-z]-[A-Za-z0-9-]{10,}|\bSG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}"
    ),
    "JSON web token": r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.?[A-Za-z0-9_-]*",
    "credentials of an Authorization header": (
        r"(?i:\bbearer\s+)[A-Za-z0-9._~+/-]{12,}=*|(?i:\bbasic\s+)[A-Za-z0-9+/]{16,}=*"
    ),
    "user and password of an address or a DSN": r"//[^\s/@]{1,300}@",
    "assigned password, secret, token or key": (
        r"""(?i:\b(?:password|passwd|pwd|secret|token|api[_-]?key)["']?\s*[=:]\s*)(?:"[^"]{1,300}"|'[^']{1,300}'|[^\s,;&"']{1,300})"""
    ),
    "e-mail address": r"""[^\s@<>"'(),:;=/]{1,64}@[A-Za-z0-9-]{1,63}(?:\.[A-Za-z0-9-]{1,63}){1,8}""",
    "telephone number": r"\B\+\d[\d ().-]{7,18}\d|\(\d{3}\) ?\d{3}-\d{4}\b|\b\d{3}[-.]\d{3}[-.]\d{4}\b",
}
"""By what they find."""
