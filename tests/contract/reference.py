"""The examples of the reference documents of this interface, as they are printed there.

Names that an example leaves undefined come from its reader; the examples in `THINKING` ask a model.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EXAMPLES", "SIGNATURES", "THINKING"]

EXAMPLES: Final[Mapping[str, str]] = {
    "initialize": """
# Initialize with defaults
session = Session()

# Initialize with custom configuration
session = Session(
    user=user_id,  # Branch owner
    name="main",   # Session name
    metadata={     # Custom metadata
        "project": "research",
        "created_at": datetime.now()
    }
)
""",
    "create branches": """
# Basic branch
branch = session.new_branch(
    system="You are a helpful assistant",
    name="research"
)

# Full configuration
branch = session.new_branch(
    system={
        "role": "system",
        "content": "You are a coding assistant"
    },
    system_datetime=True,
    user=user_id,
    name="coding",
    imodel=chat_model,
    tools=[code_analyzer, formatter],
    tool_manager=action_manager,
    messages=initial_messages,
    progress=message_progression
)

# Create basic branch
branch = session.new_branch(
    system="You are a helpful assistant",
    name="research_branch"
)

# Create branch with tools
branch = session.new_branch(
    system="You are a coding assistant",
    tools=["code_analyzer", "formatter"],
    imodel=chat_model
)
""",
    "split, remove, change the default": """
# Split branch
new_branch = await session.asplit(main_branch)

# Remove unused branch
session.remove_branch(old_branch.id, delete=True)

# Change default
session.change_default_branch(active_branch)
""",
    "use a split": """
# Split branch for parallel conversations
new_branch = await session.asplit(branch)

# Remove unused branch
session.remove_branch(branch.id, delete=True)

# Change default branch
session.change_default_branch(new_branch)
""",
    "transfer mail": """
# Send to specific branch
session.send(to_=branch.id)

# Collect from source
session.collect(from_=source.id)

# Process all mail
async with session.mail_manager.sources:
    session.collect_send_all(receive_all=True)
""",
    "use the transfer": """
# Send mail to specific branch
session.send(to_=branch.id)

# Collect mail from specific branch
session.collect(from_=branch.id)

# Process all mail
await session.acollect_send_all(receive_all=True)
""",
    "gather messages": """
# Get all messages
messages = session.concat_messages()

# Filter messages
messages = session.concat_messages(
    branches=[branch_a.id, branch_b.id],
    exclude_clone=True,
    exclude_load=True
)

# Convert to DataFrame
df = session.to_df(exclude_clone=True)
""",
    "errors of branches": """
try:
    # Create branch
    branch = session.new_branch(name="research")

    # Remove branch
    session.remove_branch(branch.id)

except ItemNotFoundError as e:
    # Branch doesn't exist
    logging.error(f"Branch error: {e}")

except ValueError as e:
    # Invalid branch configuration
    logging.error(f"Config error: {e}")
""",
    "errors of mail": """
try:
    # Send mail
    session.send(to_=branch.id)

    # Collect mail
    session.collect(from_=branch.id)

except ValueError as e:
    # Invalid mail operation
    logging.error(f"Mail error: {e}")

except Exception as e:
    # Other mail errors
    logging.error(f"Transfer error: {e}")
""",
    "errors of messages": """
try:
    # Get messages
    messages = session.concat_messages(
        branches=[branch.id]
    )

except ValueError as e:
    # Invalid branch
    logging.error(f"Message error: {e}")
""",
    "basic flow": """
# Initialize session
session = Session()

# Create branches
research = session.new_branch(name="research")
coding = session.new_branch(name="coding")

# Share tools
research.send(
    recipient=coding.id,
    category="tool",
    item=research_tools
)

# Process mail
session.collect_send_all(receive_all=True)
""",
    "branch operations": """
# Create branch with system message
branch = session.new_branch(
    system={
        "role": "system",
        "content": "You are a helpful assistant"
    },
    user=user_id
)

# Split for parallel processing
branch_a = await session.asplit(branch)
branch_b = await session.asplit(branch)

# Process results
messages = session.concat_messages([branch_a.id, branch_b.id])
""",
    "mail management": """
# Send to multiple branches
session.send(to_=[branch_a.id, branch_b.id])

# Collect from specific branch
session.collect(from_=branch_a.id)

# Process all mail
await session.acollect_send_all()
""",
    "meaningful names": """
# Use meaningful names
branch = session.new_branch(
    name="research_analysis",
    system="You are a research assistant",
    user=user_id
)

# Clean up unused branches
session.remove_branch(branch.id, delete=True)
""",
    "a session with tools": """
# Initialize session
session = Session()

# Create branch with tools
branch = session.new_branch(
    system="You are a helpful assistant",
    tools=[
        Tool(name="calculator", func=calculate),
        Tool(name="web_search", func=search)
    ]
)
""",
    "a conversation": """
# Execute conversation
response = await branch.communicate(
    instruction="What is 2+2?",
    guidance="Use the calculator tool"
)
""",
    "message handling": """
# Configure system message
branch = Branch(
    system={
        "role": "system",
        "content": "You are a coding assistant"
    },
    system_datetime=True
)

# Track message progression
messages = branch.msgs.progression
""",
    "tools of a branch": """
# Register tools early
branch = Branch(
    tools=[
        Tool(name="analyzer", func=analyze_code),
        Tool(name="formatter", func=format_code)
    ],
    tool_manager=action_manager
)
""",
    "models of a branch": """
# Configure models
branch = Branch(
    chat_model=chat_model,
    parse_model=parse_model
)
""",
}

THINKING: Final[Mapping[str, str]] = {
    "operate, then invoke_action": """
# Operate with validation
result = await branch.operate(
    instruction="Research quantum computing",
    tools=["web_search", "paper_analyzer"],
    response_format=ResearchReport,
    invoke_actions=True
)

# Handle structured responses
if result.action_required:
    for action in result.action_requests:
        response = await branch.invoke_action(action)
""",
    "tools early": """
# Register tools early
branch = Branch(
    tools=[
        Tool(name="analyzer", func=analyze_code),
        Tool(name="formatter", func=format_code)
    ],
    tool_manager=action_manager
)

# Handle tool errors
try:
    result = await branch.operate(
        instruction="Format code",
        tools=["formatter"]
    )
except Exception as e:
    branch.logs.log(f"Tool error: {e}")
""",
    "models and parsing": """
# Configure models
branch = Branch(
    chat_model=chat_model,
    parse_model=parse_model
)

# Handle parsing errors
result = await branch.parse(
    text=response,
    request_type=CodeReport,
    handle_validation="return_value"
)
""",
}

SIGNATURES: Final = """
def new_branch(
    self,
    system: System | JsonValue = None,      # System message
    system_sender: SenderRecipient = None,  # System message sender
    system_datetime: bool | str = None,     # Add timestamp to system
    user: SenderRecipient = None,          # Branch owner
    name: str | None = None,               # Branch name
    imodel: iModel | None = None,          # Chat model
    messages: Pile[RoledMessage] = None,   # Initial messages
    progress: Progression = None,          # Message progression
    tool_manager: ActionManager = None,    # Tool manager
    tools: Tool | Callable | list = None,  # Available tools
    **kwargs,                              # Additional config
) -> Branch: ...

def remove_branch(
    self,
    branch: ID.Ref,    # Branch ID or instance
    delete: bool = False,  # Delete branch object
) -> None: ...

async def asplit(
    self,
    branch: ID.Ref  # Branch to split
) -> Branch: ...

def change_default_branch(
    self,
    branch: ID.Ref  # New default branch
) -> None: ...

def send(
    self,
    to_: ID.RefSeq = None  # Target branches
) -> None: ...

def collect(
    self,
    from_: ID.RefSeq = None  # Source branches
) -> None: ...

async def acollect_send_all(
    self,
    receive_all: bool = False  # Process all mail
) -> None: ...

def concat_messages(
    self,
    branches: ID.RefSeq = None,      # Source branches
    exclude_clone: bool = False,      # Skip cloned messages
    exclude_load: bool = False,       # Skip loaded messages
) -> Pile[RoledMessage]: ...

def to_df(
    self,
    branches: ID.RefSeq = None,      # Source branches
    exclude_clone: bool = False,      # Skip cloned messages
    exclude_load: bool = False,       # Skip loaded messages
) -> pd.DataFrame: ...
"""
